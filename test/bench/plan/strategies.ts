// Ways to roll the same model cluster, each gone through with the same ledger and the same actual durations: ours, and those
// that are common elsewhere.
import { novaTracker } from '../../../agent/drivers/nova/tracker.ts';
import { Ledger, type Rule } from '../../../agent/ledger/ledger.ts';
import type { Inventory, NodeId } from '../../../agent/model/inventory.ts';
import type { Durations } from '../../../agent/plan/durations.ts';
import type { Course } from '../../../agent/plan/planner.ts';
import { schedule } from '../../../agent/plan/schedule.ts';
import type { Group } from '../../../agent/plan/waves.ts';

export interface Outcome {
  readonly endMs: number;
  readonly movesPerMachine: number;
}

export type Strategy = (inventory: Inventory, rules: readonly Rule[], course: Course, actual: Durations) => Outcome;

/** What the planner and the executor do. */
const ours: Strategy = (inventory, rules, { groups }, actual) => {
  const isApart = groups.some(({ rack }) => rack === undefined);
  const options = isApart ? { intent: new Ledger(rules, inventory) } : {};
  return countingMoves(inventory, rules, ledger => schedule(groups, ledger, actual, options).endMs);
};

/** A rack is drained, rebooted and whole before the next one is touched; where hosts are kept apart, a wave. */
const barriers: Strategy = (inventory, rules, { groups }, actual) => {
  const merged = mergedByRack(groups);
  return countingMoves(inventory, rules, ledger => {
    // Each is gone through for itself, on one ledger: the next begins when everything is whole.
    return merged.reduce((total, group) => total + schedule([group], ledger, actual).endMs, 0);
  });
};

/** One node down at a time; the next is drained when the last is back, and goes when everything is whole. */
const oneAtATime: Strategy = (inventory, rules, course, actual) => {
  const single = alone(course).map(node => ({ nodes: [node], isGated: true, safety: [] }));
  return countingMoves(inventory, rules, ledger => schedule(single, ledger, actual, { prefetches: false }).endMs);
};

/** One node after the other, from its drain to its recovery. */
const serial: Strategy = (inventory, _rules, course, actual) => ({
  endMs: alone(course).reduce((sum, n) => sum + actual.drainMs(n) + actual.rebootMs(n) + actual.recoveryMs(n), 0),
  movesPerMachine: inventory.vms.length === 0 ? 0 : 1,
});

export const STRATEGIES = { ours, 'rack barriers': barriers, 'max unavailable 1': oneAtATime, serial } as const;

function countingMoves(inventory: Inventory, rules: readonly Rule[], run: (ledger: Ledger) => number): Outcome {
  const tracker = novaTracker(inventory);
  const counted = rules.map(rule => (rule.name === 'nova' ? { ...rule, tracker: () => tracker } : rule));
  const endMs = run(new Ledger(counted, inventory));
  return { endMs, movesPerMachine: tracker.moved / inventory.vms.length };
}

function alone({ groups }: Course): readonly NodeId[] {
  return groups.flatMap(({ nodes }) => nodes);
}

function mergedByRack(groups: readonly Group[]): readonly Group[] {
  const named = groups.map((group, index) => ({ ...group, name: group.rack ?? `${index}` }));
  return [...Map.groupBy(named, ({ name }) => name).values()].map(same => ({
    nodes: same.flatMap(({ nodes }) => nodes),
    isGated: false,
    safety: [],
  }));
}
