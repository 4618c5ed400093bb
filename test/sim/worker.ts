// A share of the seeds, on a core of its own.
import { parentPort, workerData } from 'node:worker_threads';
import type { Mode } from './faults.ts';
import { simulate } from './simulation.ts';

export interface Share {
  readonly first: number;
  readonly step: number;
  readonly end: number;
  /** Taken in turns, two seeds at a time: the same on any number of cores. */
  readonly modes: readonly Mode[];
  readonly nodes: number | undefined;
}

export interface Broken {
  readonly seed: number;
  readonly mode: Mode;
  readonly text: string;
}

export interface Summary {
  readonly broken: readonly Broken[];
  readonly statuses: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
}

const { first, step, end, modes, nodes } = workerData as Share;
const broken: Broken[] = [];
const statuses: Record<string, number> = {};
const faults: Record<string, number> = {};
for (let seed = first; seed < end; seed += step) {
  const mode = modes[Math.floor(seed / 2) % modes.length] as Mode;
  const outcome = await simulate({ seed, mode, ...(nodes === undefined ? {} : { nodes }) });
  statuses[outcome.status] = (statuses[outcome.status] ?? 0) + 1;
  for (const [kind, count] of Object.entries(outcome.faults)) faults[kind] = (faults[kind] ?? 0) + count;
  if (outcome.violation) broken.push({ seed, mode, text: outcome.violation.message });
}
parentPort?.postMessage({ broken, statuses, faults } satisfies Summary);
