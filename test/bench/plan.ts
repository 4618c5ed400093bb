// What plans are worth: how long a rollover takes beside the time that no order can beat, and beside what others do, on model
// clusters of up to 10,000 nodes, with and without reboots that hang; and what planning itself costs.
//   npm run bench:plan -- [--json] [--seeds N]
import process from 'node:process';
import { parseArgs } from 'node:util';
import type { Inventory, NodeId } from '../../agent/model/inventory.ts';
import { DEFAULT_POLICY } from '../../agent/model/policy.ts';
import { lowerBound } from '../../agent/plan/bound.ts';
import type { Durations } from '../../agent/plan/durations.ts';
import { type Course, courseOf, makePlan } from '../../agent/plan/planner.ts';
import { simulatedDrivers } from '../../agent/simulated/ports.ts';
import { randomFrom } from '../support/killing.ts';
import { median } from './measure.ts';
import { type ClusterSize, clusterOf, MINUTE } from './plan/cluster.ts';
import { STRATEGIES } from './plan/strategies.ts';
import { type Row, report, rounded, table } from './report.ts';

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, seeds: { type: 'string', default: '10' } },
});

const SIZES: readonly ClusterSize[] = [
  { nodes: 100, racks: 10, groups: 4096, spare: 5, domain: 'rack' },
  { nodes: 1000, racks: 40, groups: 32_768, spare: 13, domain: 'rack' },
  { nodes: 10_000, racks: 200, groups: 262_144, spare: 25, domain: 'rack' },
  { nodes: 100, racks: 10, groups: 512, spare: 4, domain: 'host' },
  { nodes: 1000, racks: 40, groups: 8192, spare: 20, domain: 'host' },
  { nodes: 10_000, racks: 200, groups: 131_072, spare: 200, domain: 'host' },
];
const TARGET = { version: '5.2.0', manifest: 'a'.repeat(64), image: 'new' };
/** Standard deviation of reboots, relative to their mean. */
const SPREAD = 0.08;
const HANGS = 0.01;
/** A node that hangs is noticed after this, and power-cycled. */
const NOTICED_MS = 15 * MINUTE;
const RULES = simulatedDrivers('http://model.invalid');

const say = (line: string) => void process.stderr.write(`· ${line}\n`);

interface Run {
  readonly size: ClusterSize;
  readonly hangs: boolean;
  /** Makespan over the lower bound, for each strategy. */
  readonly ratios: Readonly<Record<string, number>>;
  readonly movesPerMachine: number;
  /** Of the ETA that is told when the canary is back, relative. */
  readonly etaError: number;
}

interface Costs {
  readonly size: ClusterSize;
  readonly planMs: number;
  readonly replanMs: number;
  readonly megabytes: number;
}

const costs = SIZES.map(measurePlanning);
const runs = SIZES.flatMap(size => [false, true].flatMap(hangs => measureSize(size, hangs)));
if (!values.json) process.stdout.write(details());
report(rows(), values.json);

/** Planning from the start, and again when half of the nodes are done. */
function measurePlanning(size: ClusterSize): Costs {
  const inventory = clusterOf(size, 1);
  const half = {
    ...inventory,
    nodes: inventory.nodes.map((n, i) => (i % 2 === 0 ? { ...n, image: TARGET.image } : n)),
  };
  const times = (seen: Inventory) =>
    median(
      [1, 2, 3].map(() => {
        const start = performance.now();
        makePlan(seen, TARGET, RULES);
        return performance.now() - start;
      }),
    );
  const [planMs, replanMs] = [times(inventory), times(half)];
  return { size, planMs, replanMs, megabytes: process.memoryUsage().rss / 2 ** 20 };
}

function measureSize(size: ClusterSize, hangs: boolean): readonly Run[] {
  const seeds = Math.max(1, Math.ceil(Number(values.seeds) / (size.nodes / 100) ** 0.5));
  return Array.from({ length: seeds }, (_, i) => {
    say(`${nameOf(size)}${hangs ? ', with reboots that hang' : ''}: ${i + 1} of ${seeds}`);
    return measureRun(size, hangs, i + 1);
  });
}

function measureRun(size: ClusterSize, hangs: boolean, seed: number): Run {
  const inventory = clusterOf(size, seed);
  const course = courseOf(inventory, inventory.nodes, RULES, DEFAULT_POLICY);
  const actual = actualDurations(inventory, course, hangs, randomFrom(seed * 7919));
  const bound = lowerBound(inventory, course.domains, actual);
  const outcomes = Object.entries(STRATEGIES).map(
    ([name, strategy]) => [name, strategy(inventory, RULES, course, actual)] as const,
  );
  const ours = STRATEGIES.ours(inventory, RULES, course, actual);
  return {
    size,
    hangs,
    ratios: Object.fromEntries(outcomes.map(([name, { endMs }]) => [name, endMs / bound.ms])),
    movesPerMachine: ours.movesPerMachine,
    etaError: Math.abs(etaAfterCanary(inventory, course, actual) / ours.endMs - 1),
  };
}

/** Log-normal reboots around their mean; one of a hundred hangs, is noticed, and boots a second time. */
function actualDurations(inventory: Inventory, { durations }: Course, hangs: boolean, random: () => number): Durations {
  const { rebootMs, recoveryMs } = inventory.estimates;
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const reboots = new Map<NodeId, number>();
  for (const { id } of inventory.nodes) {
    const usual = rebootMs * Math.exp(SPREAD * normal() - SPREAD ** 2 / 2);
    reboots.set(id, hangs && random() < HANGS ? NOTICED_MS + usual : usual);
  }
  return { ...durations, rebootMs: node => reboots.get(node) ?? rebootMs, recoveryMs: () => recoveryMs };
}

/** Reboots are assumed to take half as long again as they do; then the canary shows. */
function etaAfterCanary(inventory: Inventory, { groups }: Course, actual: Durations): number {
  const canary = groups[0]?.nodes[0] ?? '';
  const estimates = { ...inventory.estimates, rebootMs: actual.rebootMs(canary), samples: 1 };
  return courseOf({ ...inventory, estimates }, inventory.nodes, RULES, DEFAULT_POLICY).schedule.endMs;
}

function nameOf({ nodes, racks, domain }: ClusterSize): string {
  return `${nodes.toLocaleString('en')} nodes, ${racks} racks, ${domain} domains`;
}

function details(): string {
  const names = Object.keys(STRATEGIES);
  const head = ['cluster', 'hangs', 'runs', ...names, 'moves a machine', 'ETA off by'];
  const lines = SIZES.flatMap(size =>
    [false, true].map(hangs => {
      const mine = runs.filter(run => run.size === size && run.hangs === hangs);
      const mid = (pick: (run: Run) => number) => `${rounded(median(mine.map(pick)))}`;
      const ratios = names.map(name => `${mid(run => run.ratios[name] ?? 0)}×`);
      const off = `${rounded(100 * median(mine.map(run => run.etaError)))} %`;
      return [nameOf(size), hangs ? '1 %' : 'none', `${mine.length}`, ...ratios, mid(run => run.movesPerMachine), off];
    }),
  );
  const spent = costs.map(({ size, planMs, replanMs, megabytes }) => [
    nameOf(size),
    `${Math.round(planMs)} ms`,
    `${Math.round(replanMs)} ms`,
    `${Math.round(megabytes)} MB`,
  ]);
  return `${table(head, lines)}${table(['planning', 'from the start', 'half-way', 'memory'], spent)}`;
}

function rows(): Row[] {
  const ours = (hangs: boolean) => runs.filter(run => run.hangs === hangs).map(run => run.ratios['ours'] ?? 0);
  const most = (nodes: number, pick: (cost: Costs) => number) =>
    Math.max(...costs.filter(({ size }) => size.nodes === nodes).map(pick));
  return [
    { name: 'makespan over the lower bound, mean', figure: mean(ours(false)), goal: 1.1, unit: '×' },
    {
      name: 'the same, 1 % of reboots hang, 95th percentile',
      figure: quantile(ours(true), 0.95),
      goal: 1.25,
      unit: '×',
    },
    { name: 'planning 1,000 nodes', figure: most(1000, cost => cost.planMs), goal: 1000, unit: 'ms' },
    { name: 'planning 1,000 nodes again', figure: most(1000, cost => cost.replanMs), goal: 200, unit: 'ms' },
    { name: 'planning 10,000 nodes', figure: most(10_000, cost => cost.planMs), goal: 15_000, unit: 'ms' },
    { name: 'moves a virtual machine', figure: mean(runs.map(run => run.movesPerMachine)), goal: 1.15, unit: '' },
    {
      name: 'error of the ETA after the canary',
      figure: 100 * median(runs.map(run => run.etaError)),
      goal: 10,
      unit: '%',
    },
  ];
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function quantile(values: readonly number[], part: number): number {
  return [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(part * values.length))] ?? 0;
}
