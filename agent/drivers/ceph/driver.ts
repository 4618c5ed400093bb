// Ceph: no placement group falls below min_size, and a host that reboots is not rebalanced away.
// How Ceph is reached is the port's business; the decisions here are the same for a model and for a real cluster.
import { counted } from '../../../signing/index.ts';
import {
  type Driver,
  type Inventory,
  NOT_NOW,
  type NodeId,
  type Observation,
  type Verdict,
  YES,
} from '../../sdk/index.ts';

export interface CephPort {
  inspect(): Promise<Pick<Inventory, 'placementGroups' | 'noout'>>;
  setNoout(host: NodeId, set: boolean, epoch: number): Promise<void>;
}

export function cephDriver(port: CephPort): Driver {
  return {
    name: 'ceph',
    inspect: (): Promise<Observation> => port.inspect(),
    safety: cephSafety,
    effects: node => [{ what: `noout on the OSDs of ${node}` }],
    drain: async (inventory, nodes, _out, { epoch }) => {
      for (const node of nodes) if (!inventory.noout.includes(node)) await port.setNoout(node, true, epoch);
    },
    drained: (inventory, node) =>
      inventory.noout.includes(node) ? YES('noout is set') : NOT_NOW(`noout is not set on ${node}`),
    apply: async () => undefined,
    verify: cephHealthy,
    undrain: (node, { epoch }) => port.setNoout(node, false, epoch),
    undrained: (inventory, node) =>
      inventory.noout.includes(node) ? NOT_NOW(`noout is still set on ${node}`) : YES('noout is taken back'),
  };
}

/** I1: every placement group keeps `min_size` active replicas on hosts that stay. */
function cephSafety(inventory: Inventory, out: ReadonlySet<NodeId>): Verdict {
  for (const group of inventory.placementGroups) {
    const touched = group.acting.some(host => out.has(host));
    const left = group.active.filter(host => !out.has(host)).length;
    if (touched && left < group.minSize) {
      return NOT_NOW(`placement group ${group.id} would have ${left} of at least ${group.minSize} replicas`);
    }
  }
  return YES(`all ${inventory.placementGroups.length} placement groups keep min_size`);
}

/** The host's replicas serve again, all of them. */
function cephHealthy(inventory: Inventory, node: NodeId): Verdict {
  const recovering = inventory.placementGroups.filter(g => g.acting.includes(node) && !g.active.includes(node)).length;
  return recovering > 0
    ? NOT_NOW(`${counted(recovering, 'placement group')} on ${node} recovering`)
    : YES(`the placement groups on ${node} are active`);
}
