// Ceph: no placement group falls below min_size, and a host that reboots is not rebalanced away.
// How Ceph is reached is the port's business; the decisions here are the same for a model and for a real cluster.
import { counted } from '../../../signing/index.ts';
import {
  type Driver,
  type Inventory,
  NOT_NOW,
  type NodeId,
  type Observation,
  safetyOf,
  type Verdict,
  YES,
} from '../../sdk/index.ts';
import { cephTracker } from './tracker.ts';

export interface CephPort {
  inspect(): Promise<Pick<Inventory, 'placementGroups' | 'noout'>>;
  setNoout(host: NodeId, set: boolean, epoch: number): Promise<void>;
}

export function cephDriver(port: CephPort): Driver {
  return {
    name: 'ceph',
    inspect: (): Promise<Observation> => port.inspect(),
    safety: safetyOf(cephTracker, kept),
    tracker: cephTracker,
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

function kept({ placementGroups }: Inventory): string {
  return `all ${placementGroups.length} placement groups keep min_size`;
}

/** The host's replicas serve again, all of them. */
function cephHealthy(inventory: Inventory, node: NodeId): Verdict {
  const recovering = inventory.placementGroups.filter(g => g.acting.includes(node) && !g.active.includes(node)).length;
  return recovering > 0
    ? NOT_NOW(`${counted(recovering, 'placement group')} on ${node} recovering`)
    : YES(`the placement groups on ${node} are active`);
}
