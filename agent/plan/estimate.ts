// How long a plan takes, and how long it must take at least. Estimates only: nothing waits for them.
import { counted } from '../../signing/index.ts';
import type { Inventory, NodeId } from '../model/inventory.ts';
import type { Batch } from '../model/plan.ts';

/** Milliseconds for a batch: its machines move away, its nodes reboot together, its placement groups recover. */
export function batchTimeMs(inventory: Inventory, nodes: readonly NodeId[]): number {
  const { rebootMs, recoveryMs } = inventory.estimates;
  const drains = nodes.map(node => drainMs(inventory, node));
  return Math.round(Math.max(0, ...drains) + rebootMs + recoveryMs);
}

/**
 * The time that no order can beat, and what sets it. Storage: failure domains go one after the other, each takes a
 * reboot and a recovery. Network: every virtual machine moves at least once.
 */
export function lowerBound(inventory: Inventory, batches: readonly Batch[]): { lowerBoundMs: number; binding: string } {
  if (batches.length === 0) return { lowerBoundMs: 0, binding: 'There is nothing to reboot.' };
  const { rebootMs, recoveryMs } = inventory.estimates;
  const racks = new Set(batches.map(batch => batch.rack)).size;
  const storageMs = racks * (rebootMs + recoveryMs);
  const touched = new Set(batches.flatMap(batch => batch.nodes));
  const movedMb = inventory.vms.filter(vm => touched.has(vm.host)).reduce((sum, vm) => sum + vm.memoryMb, 0);
  const hosts = Math.max(inventory.computes.length, 1);
  const networkMs = (1000 * movedMb) / (inventory.estimates.migrationMbPerSecond * hosts);
  const lowerBoundMs = Math.round(Math.max(storageMs, networkMs));
  const storageBinds = storageMs >= networkMs;
  const binding = storageBinds
    ? `${counted(racks, 'failure domain')} to reboot, one after the other.`
    : `${Math.round(movedMb / 1024)} GB of virtual machine memory to move.`;
  return { lowerBoundMs, binding };
}

function drainMs(inventory: Inventory, node: NodeId): number {
  const memoryMb = inventory.vms.filter(vm => vm.host === node).reduce((sum, vm) => sum + vm.memoryMb, 0);
  return (1000 * memoryMb) / inventory.estimates.migrationMbPerSecond;
}
