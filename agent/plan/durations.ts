// How long each step of a node is expected to take here. Estimates only: nothing waits for them.
import type { Estimates, Inventory, NodeId } from '../model/inventory.ts';

/** Milliseconds. */
export interface Durations {
  drainMs(node: NodeId): number;
  rebootMs(node: NodeId): number;
  recoveryMs(node: NodeId): number;
}

/** Standard deviation of a reboot relative to its mean, where the cluster has not shown its own. */
export const ASSUMED_SPREAD = 0.08;

/**
 * Of a batch that reboots together the slowest counts, so expected reboots are spread as real ones are: each node of
 * `together` gets its own quantile.
 */
export function expectedDurations(inventory: Inventory, together: readonly (readonly NodeId[])[]): Durations {
  const { rebootMs, recoveryMs, migrationMbPerSecond, spread = ASSUMED_SPREAD } = inventory.estimates;
  const leavingMb = new Map<NodeId, number>();
  for (const { host, memoryMb } of inventory.vms) leavingMb.set(host, (leavingMb.get(host) ?? 0) + memoryMb);
  const factors = new Map<NodeId, number>();
  for (const nodes of together) {
    nodes.forEach((node, i) => void factors.set(node, 1 + spread * normalQuantile((i + 0.5) / nodes.length)));
  }
  return {
    drainMs: node => (1000 * (leavingMb.get(node) ?? 0)) / migrationMbPerSecond,
    rebootMs: node => rebootMs * (factors.get(node) ?? 1),
    recoveryMs: () => recoveryMs,
  };
}

/** How sure the estimates are: half the width of the band around an ETA, as a part of it. */
export function uncertainty({ samples = 0, spread = ASSUMED_SPREAD }: Estimates): number {
  if (samples === 0) return 0.5;
  return Math.min(0.5, 1.65 * spread + spread / Math.sqrt(samples));
}

/** Of the standard normal distribution; Acklam's rational approximation would be finer than an estimate needs. */
function normalQuantile(p: number): number {
  // The logistic curve with the same variance; within 0.1 of the normal one between 2 % and 98 %.
  return (Math.sqrt(3) / Math.PI) * Math.log(p / (1 - p));
}
