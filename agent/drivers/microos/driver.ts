// Micro-OS: an upgrade is a reboot. The node is told to boot again, and proves by a new boot id and the digest of what it
// booted that it did.
import {
  DRAINS_NOTHING,
  type Driver,
  type Inventory,
  NOT_NOW,
  type Node,
  type NodeId,
  type TargetRelease,
  type Verdict,
  YES,
} from '../../sdk/index.ts';

export interface NodePort {
  inspect(): Promise<Pick<Inventory, 'simulated' | 'nodes' | 'probe' | 'estimates'>>;
  /** Stops the node's services in order, then boots it from the network. Harmless while it is already booting. */
  reboot(node: NodeId, epoch: number): Promise<void>;
}

export function microosDriver(port: NodePort): Driver {
  return {
    name: 'microos',
    inspect: () => port.inspect(),
    safety: nodesUp,
    ...DRAINS_NOTHING,
    apply: (node, _release, { epoch }) => port.reboot(node, epoch),
    verify: imageIsRight,
  };
}

/** A node that is down for another reason may need what we are about to take away. */
function nodesUp(inventory: Inventory, out: ReadonlySet<NodeId>): Verdict {
  const down = inventory.nodes.filter(node => node.power !== 'up' && !out.has(node.id));
  return down.length > 0 ? NOT_NOW(`${down.map(node => node.id).join(', ')} is not up`) : YES('every other node is up');
}

function imageIsRight(inventory: Inventory, node: NodeId, release: TargetRelease): Verdict {
  const found = inventory.nodes.find((candidate: Node) => candidate.id === node);
  if (found?.power !== 'up') return NOT_NOW(`${node} is not up`);
  return found.image === release.image
    ? YES(`${node} reports the image of ${release.version}`)
    : NOT_NOW(`${node} reports another image than ${release.version}`);
}
