// The cluster of a seed: how many of what, how much room there is, how long things take.
import type { Chance } from './chance.ts';

export interface Shape {
  readonly racks: number;
  readonly nodesPerRack: number;
  readonly keepsApart: 'rack' | 'host';
  readonly groups: number;
  readonly replicas: number;
  readonly minSize: number;
  readonly vms: number;
  readonly nodeMemoryMb: number;
  readonly stopMs: number;
  readonly bootMs: number;
  readonly recoveryMs: number;
  readonly migrationMbPerSecond: number;
}

export const VM_MB = 4096;

/** @param nodes about so many; by chance when it is not said */
export function shapeBy(chance: Chance, nodes?: number): Shape {
  const racks = nodes === undefined ? chance.whole(3, 4) : Math.max(3, Math.round(nodes / Math.max(4, nodes / 40)));
  const nodesPerRack = nodes === undefined ? chance.whole(2, 4) : Math.max(1, Math.round(nodes / racks));
  const count = racks * nodesPerRack;
  const vms = count * chance.whole(1, 3);
  // From room for one host only up to half of the cluster.
  const used = (vms * VM_MB) / count;
  const spare = chance.pick([1.4, 1.7, 2.5]);
  return {
    racks,
    nodesPerRack,
    keepsApart: chance.pick(['rack', 'host']),
    groups: count * 3,
    replicas: 3,
    minSize: 2,
    vms,
    nodeMemoryMb: Math.max(2 * VM_MB, Math.ceil((used * spare) / VM_MB) * VM_MB),
    stopMs: 2000,
    bootMs: chance.between(15_000, 40_000),
    recoveryMs: chance.between(2000, 20_000),
    migrationMbPerSecond: chance.pick([512, 2048]),
  };
}
