// Services that need a majority of their members: Ceph monitors, ZooKeeper, Galera, RabbitMQ.
// Nothing is drained here; the driver only says when a member may go.
import {
  DRAINS_NOTHING,
  type Driver,
  type Inventory,
  NOT_NOW,
  type NodeId,
  safetyOf,
  type Verdict,
  YES,
} from '../../sdk/index.ts';
import { quorumTracker } from './tracker.ts';

export interface QuorumPort {
  inspect(): Promise<Pick<Inventory, 'quorums'>>;
}

export function quorumDriver(port: QuorumPort): Driver {
  return {
    name: 'quorum',
    inspect: () => port.inspect(),
    safety: safetyOf(quorumTracker, kept),
    tracker: quorumTracker,
    ...DRAINS_NOTHING,
    apply: async () => undefined,
    verify: quorumHealthy,
  };
}

function kept({ quorums }: Inventory): string {
  return `${quorums.map(quorum => quorum.name).join(', ')} keep their majority`;
}

function quorumHealthy(inventory: Inventory, node: NodeId): Verdict {
  const missing = inventory.quorums.find(({ members, up }) => members.includes(node) && !up.includes(node));
  return missing ? NOT_NOW(`${node} is not back in ${missing.name}`) : YES(`${node} is back in its quorums`);
}
