// Placement groups as a ledger: how many replicas of each still serve, host by host taken away and given back.
import { type Inventory, NOT_NOW, type NodeId, type PlacementGroup, type Tracker, YES } from '../../sdk/index.ts';

/** What a host holds: the groups by index, and which of them it serves now. */
interface Held {
  readonly groups: number[];
  readonly serves: boolean[];
}

/** I1: every placement group that a host holds keeps `min_size` active replicas elsewhere. */
export function cephTracker({ placementGroups }: Inventory): Tracker {
  const left = Int32Array.from(placementGroups, ({ active }) => active.length);
  const hosts = heldBy(placementGroups);
  const yes = YES(`all ${placementGroups.length} placement groups keep min_size`);

  return {
    mayDrain: () => YES(''),
    drain: () => undefined,
    mayStop(node) {
      const held = hosts.get(node);
      if (!held) return yes;
      for (let i = 0; i < held.groups.length; i++) {
        const index = held.groups[i] as number;
        const { id, minSize } = placementGroups[index] as PlacementGroup;
        const stay = (left[index] as number) - (held.serves[i] ? 1 : 0);
        if (stay < minSize) {
          return NOT_NOW(`placement group ${id} would have ${stay} of at least ${minSize} replicas`);
        }
      }
      return yes;
    },
    stop: node => setServing(hosts.get(node), left, false),
    start: () => undefined,
    recover: node => setServing(hosts.get(node), left, true),
  };
}

function heldBy(groups: readonly PlacementGroup[]): Map<NodeId, Held> {
  const hosts = new Map<NodeId, Held>();
  groups.forEach(({ acting, active }, index) => {
    for (const host of acting) {
      const held = hosts.get(host) ?? { groups: [], serves: [] };
      hosts.set(host, held);
      held.groups.push(index);
      held.serves.push(active.includes(host));
    }
  });
  return hosts;
}

function setServing(held: Held | undefined, left: Int32Array, serves: boolean): void {
  held?.groups.forEach((index, i) => {
    if (held.serves[i] === serves) return;
    held.serves[i] = serves;
    left[index] = (left[index] as number) + (serves ? 1 : -1);
  });
}
