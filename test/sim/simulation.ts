// One simulation: a cluster, three agents, a rollover, and everything that goes wrong in it. The same seed gives the same run,
// event by event.
import type { Change } from '../../agent/coordination/coordination.ts';
import { isEnded } from '../../agent/lifecycle/rollover.ts';
import type { NodeId } from '../../agent/model/inventory.ts';
import type { NodeRecord, Rollover } from '../../agent/model/rollover.ts';
import { Agent, type Surroundings } from './agent.ts';
import { Chance } from './chance.ts';
import { Checks, type Violation } from './checks.ts';
import { Clock } from './clock.ts';
import { type Boots, Cluster } from './cluster.ts';
import { Faults, type Mode } from './faults.ts';
import { Orders } from './orders.ts';
import { shapeBy } from './shape.ts';
import { Store } from './store.ts';
import { Wire } from './wire.ts';

export const OLD = 'old';
export const TARGET = { version: '5.2.0', manifest: 'manifest-new', image: 'new' } as const;

const HOUR_MS = 3600_000;
/** After everything has come to its end, so long nothing may stir any more. */
const REST_MS = 60_000;

export interface SimulationOptions {
  readonly seed: number;
  readonly mode: Mode;
  /** About so many; by chance when it is not said. */
  readonly nodes?: number;
  /** Every line of the transcript. */
  readonly onLine?: (line: string) => void;
}

export interface Outcome {
  readonly seed: number;
  readonly violation: Violation | undefined;
  readonly status: string;
  readonly virtualMs: number;
  /** What went wrong on purpose, by kind. */
  readonly faults: Readonly<Record<string, number>>;
}

export async function simulate({ seed, mode, nodes, onLine }: SimulationOptions): Promise<Outcome> {
  const clock = new Clock();
  const chance = new Chance(seed);
  const say = (text: string) => onLine?.(`${stamp(clock.nowMs)} ${text}`);
  const faults = new Faults(mode, new Chance(seed ^ 0x5eed));
  const shape = shapeBy(chance, nodes);

  const boots: Boots = {
    imageFor: node => {
      const { release } = recordsOf(store).get(node) ?? {};
      return faults.bootsWrong(node) ? 'other' : release === TARGET.manifest ? TARGET.image : OLD;
    },
    durationMs: node => (faults.hangs(node) ? undefined : shape.bootMs * chance.between(0.8, 1.3)),
    recoveryMs: () => shape.recoveryMs * chance.between(0.5, faults.slowness),
  };
  const cluster = new Cluster(shape, OLD, chance, clock, boots, say);
  const checks = new Checks(cluster, TARGET.image);
  const orders = new Orders(cluster, checks, say);
  const store = new Store(clock, ({ agent, epoch }, changes) => {
    for (const change of changes) {
      const move = drainOf(change);
      if (move && isInService(recordsOf(store).get(move)))
        checks.atCommit(recordsOf(store), move, orders.lookedAtMs.get(agent) ?? clock.nowMs);
      if (onLine) say(`commit of ${agent} in epoch ${epoch}: ${lineOf(change)}`);
    }
  });
  const wire = new Wire(clock, chance);
  const around: Surroundings = {
    clock,
    wire,
    store,
    orders,
    target: TARGET,
    rebootTimeoutMs: 4 * shape.bootMs + 60_000,
    look: () => cluster.inventory(),
    diesHere: () => faults.diesHere(),
    say,
  };
  const agents = ['A', 'B', 'C'].map(name => new Agent(name, around));
  for (const agent of agents) agent.start();
  faults.begin({ clock, cluster, agents, wire, say });

  const rolloverNow = () => store.values.get('rollover') as Rollover | undefined;
  let quietSinceMs: number | undefined;
  const isOver = () => {
    if (checks.violation) return true;
    const rollover = rolloverNow();
    if (mode === 'safety') return clock.nowMs > faults.endsAtMs || isEnded(rollover?.status ?? 'running');
    const isQuiet =
      faults.areOver && rollover !== undefined && (isEnded(rollover.status) || rollover.status === 'blocked');
    if (!isQuiet) quietSinceMs = undefined;
    else quietSinceMs ??= clock.nowMs;
    const restMs = rollover?.status === 'blocked' ? HOUR_MS / 2 : REST_MS;
    return quietSinceMs !== undefined && clock.nowMs - quietSinceMs > restMs;
  };
  await clock.run(faults.endsAtMs + HOUR_MS, isOver);
  const rollover = agents.map(({ executor }) => executor?.view().rollover).find(Boolean) ?? rolloverNow();
  if (!checks.violation && mode === 'liveness') checks.atRest(rollover, recordsOf(store));
  const status = rolloverNow()?.status ?? 'never begun';
  for (const { id, phase, image } of cluster.machines.values())
    say(`${id} is ${phase} with ${image}, ${recordsOf(store).get(id)?.state ?? 'active'}`);
  say(`${status}: ${rollover?.reason}`);
  if (checks.violation) say(`VIOLATION ${checks.violation.message}`);
  return { seed, violation: checks.violation, status, virtualMs: clock.nowMs, faults: faults.count };
}

function recordsOf(store: Store): ReadonlyMap<NodeId, NodeRecord> {
  const records = new Map<NodeId, NodeRecord>();
  for (const [key, value] of store.values) if (key.startsWith('nodes/')) records.set(key.slice(6), value as NodeRecord);
  return records;
}

function isInService(record: NodeRecord | undefined): boolean {
  return (record?.state ?? 'active') === 'active';
}

function drainOf(change: Change): NodeId | undefined {
  if (change.op !== 'put' || !change.key.startsWith('nodes/')) return undefined;
  return (change.value as NodeRecord).state === 'draining' ? change.key.slice(6) : undefined;
}

function lineOf(change: Change): string {
  if (change.op === 'delete') return `- ${change.key}`;
  const text = JSON.stringify(change.value);
  return `${change.key} = ${text.length > 160 ? `${text.slice(0, 160)}…` : text}`;
}

function stamp(ms: number): string {
  const s = ms / 1000;
  return `${String(Math.floor(s / 3600)).padStart(2, '0')}:${String(Math.floor(s / 60) % 60).padStart(2, '0')}:${(s % 60).toFixed(3).padStart(6, '0')}`;
}
