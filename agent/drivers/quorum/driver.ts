// Services that need a majority of their members: Ceph monitors, ZooKeeper, Galera, RabbitMQ.
// Nothing is drained here; the driver only says when a member may go.
import {
  DRAINS_NOTHING,
  type Driver,
  type Inventory,
  NOT_NOW,
  type NodeId,
  type Verdict,
  YES,
} from '../../sdk/index.ts';

export interface QuorumPort {
  inspect(): Promise<Pick<Inventory, 'quorums'>>;
}

export function quorumDriver(port: QuorumPort): Driver {
  return {
    name: 'quorum',
    inspect: () => port.inspect(),
    safety: quorumSafety,
    ...DRAINS_NOTHING,
    apply: async () => undefined,
    verify: quorumHealthy,
  };
}

/** I2: more than half of all members stay up. */
function quorumSafety(inventory: Inventory, out: ReadonlySet<NodeId>): Verdict {
  for (const { name, members, up } of inventory.quorums) {
    if (!members.some(member => out.has(member))) continue;
    const left = up.filter(member => !out.has(member)).length;
    if (left * 2 <= members.length) return NOT_NOW(`${name} would have ${left} of ${members.length} members`);
  }
  return YES(`${inventory.quorums.map(quorum => quorum.name).join(', ')} keep their majority`);
}

function quorumHealthy(inventory: Inventory, node: NodeId): Verdict {
  const missing = inventory.quorums.find(({ members, up }) => members.includes(node) && !up.includes(node));
  return missing ? NOT_NOW(`${node} is not back in ${missing.name}`) : YES(`${node} is back in its quorums`);
}
