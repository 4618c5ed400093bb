// What would make a rollover faster: the same plan once more, in a cluster that has a little more.
import type { Inventory, NodeId } from '../model/inventory.ts';

/** Above this the second plan would cost more time than its sentence is worth. */
const MOST_NODES = 2000;
const MORE_HOSTS = 2;
/** Savings below this part of the whole are not worth a sentence. */
const WORTH = 0.03;

/** @param replan milliseconds that the plan takes in another cluster */
export function advice(inventory: Inventory, endMs: number, replan: (more: Inventory) => number): readonly string[] {
  const { nodes, vms } = inventory;
  if (endMs === 0 || vms.length === 0 || nodes.length > MOST_NODES) return [];
  const savedMs = endMs - replan(withSpareHosts(inventory));
  if (savedMs < WORTH * endMs) return [];
  return [`Two spare hosts more: about ${inMinutes(savedMs)} less.`];
}

/** Empty hosts that run the image that nobody has to be moved to. */
function withSpareHosts(inventory: Inventory): Inventory {
  const memoryMb = Math.max(0, ...inventory.computes.map(compute => compute.memoryMb));
  const ids: NodeId[] = Array.from({ length: MORE_HOSTS }, (_, i) => `spare ${i + 1}`);
  const spare = ids.map(id => ({ id, rack: id, power: 'up', bootId: '', image: '', version: '' }) as const);
  return {
    ...inventory,
    nodes: [...inventory.nodes, ...spare],
    computes: [...inventory.computes, ...ids.map(node => ({ node, enabled: true, memoryMb }))],
  };
}

function inMinutes(ms: number): string {
  const minutes = ms / 60_000;
  return minutes >= 1 ? `${Math.round(minutes)} min` : `${Math.max(1, Math.round(ms / 1000))} s`;
}
