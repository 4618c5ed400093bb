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
  type Tracker,
  type Verdict,
  YES,
} from '../../sdk/index.ts';

export interface NodePort {
  inspect(): Promise<Pick<Inventory, 'simulated' | 'nodes' | 'probe' | 'estimates'>>;
  /** Stops the node's services in order, then boots it from the network. Harmless in any other boot than the one named. */
  reboot(node: NodeId, bootId: string, epoch: number): Promise<void>;
}

export function microosDriver(port: NodePort): Driver {
  return {
    name: 'microos',
    inspect: () => port.inspect(),
    safety: () => YES('nothing of Micro-OS depends on other nodes'),
    tracker: nodeUp,
    ...DRAINS_NOTHING,
    apply: (node, _release, { bootId, epoch }) => port.reboot(node, bootId, epoch),
    verify: imageIsRight,
  };
}

/** What does not run cannot be emptied: it is brought back first. */
function nodeUp({ nodes }: Inventory): Tracker {
  const power = new Map(nodes.map(node => [node.id, node.power]));
  return {
    mayDrain: node => (power.get(node) === 'up' ? YES('') : NOT_NOW(`${node} is not up`)),
    drain: () => undefined,
    mayStop: () => YES(''),
    stop: () => undefined,
    start: () => undefined,
    recover: () => undefined,
  };
}

function imageIsRight(inventory: Inventory, node: NodeId, release: TargetRelease): Verdict {
  const found = inventory.nodes.find((candidate: Node) => candidate.id === node);
  if (found?.power !== 'up') return NOT_NOW(`${node} is not up`);
  return found.image === release.image
    ? YES(`${node} reports the image of ${release.version}`)
    : NOT_NOW(`${node} reports another image than ${release.version}`);
}
