// Who belongs together and who comes first: the failure domains of a cluster, in the order in which they are rolled.
import type { Inventory, Node, NodeId } from '../model/inventory.ts';

/** Nodes of which only those of one domain are down at once. */
export interface Domain {
  /** Absent where the storage keeps hosts apart: then all nodes are one domain. */
  readonly rack?: string;
  readonly nodes: readonly NodeId[];
}

/** Racks, where no placement group has two replicas in one; otherwise hosts. */
export function failureDomain({ nodes, placementGroups }: Inventory): 'rack' | 'host' {
  const rackOf = new Map(nodes.map(node => [node.id, node.rack]));
  const isApart = (acting: readonly NodeId[]) => new Set(acting.map(host => rackOf.get(host))).size === acting.length;
  return placementGroups.every(({ acting }) => isApart(acting)) ? 'rack' : 'host';
}

/**
 * The nodes to be rolled, domain by domain. The domain of the emptiest node comes first, and that node in it: it is the
 * cheapest canary. Within racks the fullest follow first, because the longest drain should not come last; where hosts are
 * kept apart, those that hold most placement groups, because they fit together with fewest others.
 */
export function inOrder(inventory: Inventory, pending: readonly Node[]): readonly Domain[] {
  const weights = weightsOf(inventory);
  const order = [...pending].sort((a, b) => weights.load(a.id) - weights.load(b.id) || compare(a.id, b.id));
  const [canary] = order;
  if (!canary) return [];
  if (failureDomain(inventory) === 'host') {
    const others = order.slice(1).sort((a, b) => weights.held(b.id) - weights.held(a.id) || compare(a.id, b.id));
    return [{ nodes: [canary.id, ...others.map(node => node.id)] }];
  }
  return [...Map.groupBy(order, node => node.rack)].map(([rack, nodes]) => {
    const first = rack === canary.rack ? [canary] : [];
    const others = nodes.filter(node => node !== first[0]).reverse();
    return { rack, nodes: [...first, ...others].map(node => node.id) };
  });
}

function weightsOf({ vms, placementGroups }: Inventory) {
  const load = new Map<NodeId, number>();
  for (const vm of vms) load.set(vm.host, (load.get(vm.host) ?? 0) + vm.memoryMb);
  const held = new Map<NodeId, number>();
  for (const { acting } of placementGroups) for (const host of acting) held.set(host, (held.get(host) ?? 0) + 1);
  return { load: (node: NodeId) => load.get(node) ?? 0, held: (node: NodeId) => held.get(node) ?? 0 };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
