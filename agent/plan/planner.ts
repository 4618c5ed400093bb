// Turns what is observed and what is wanted into a plan. Pure: the same input gives the same plan, byte for byte.
// Canary first, then 1, 2, 4, … nodes, until whole failure domains go at once; while one wave reboots, the next is emptied.
import { counted } from '../../signing/index.ts';
import { Ledger, type Rule } from '../ledger/ledger.ts';
import type { Inventory, Node, NodeId } from '../model/inventory.ts';
import type { LeftOut, Plan, PlannedTask, TargetRelease, Wave } from '../model/plan.ts';
import { DEFAULT_POLICY, type RolloutPolicy } from '../model/policy.ts';
import type { Driver } from '../sdk/index.ts';
import { lowerBound, spareHosts } from './bound.ts';
import { type Durations, expectedDurations, uncertainty } from './durations.ts';
import { type Domain, failureDomain, inOrder } from './order.ts';
import { type Schedule, schedule } from './schedule.ts';
import { cutWaves, type Group, type Stuck } from './waves.ts';
import { advice } from './what-if.ts';

/** Each plans the whole rollover once; then all that are left are left out. */
const ROUNDS = 16;

/** The part of a driver that planning needs. */
export type PlanningRule = Rule & Pick<Driver, 'tasks'>;

export interface PlanOptions {
  readonly policy?: RolloutPolicy;
  /** Nodes that failed before: out of service already, and tried first, one by one, where they can be reached. */
  readonly failed?: readonly NodeId[];
}

/** Everything a rollover consists of before it is told as a plan. */
export interface Course {
  readonly domains: readonly Domain[];
  readonly groups: readonly Group[];
  /** Nodes that may not go even alone. */
  readonly stuck: readonly Stuck[];
  /** All others. */
  readonly rolled: readonly Node[];
  readonly durations: Durations;
  readonly schedule: Schedule;
}

/** Plans the way from the inventory to the target. A plan without waves means: nothing has to be rebooted. */
export function makePlan(
  seen: Inventory,
  target: TargetRelease,
  rules: readonly PlanningRule[],
  { policy = DEFAULT_POLICY, failed = [] }: PlanOptions = {},
): Plan {
  const lost = seen.nodes.filter(isLost);
  const tried = failed.filter(id => !lost.some(node => node.id === id));
  const inventory = asIfRepaired(seen, tried);
  const pending = inventory.nodes.filter(node => target.image !== undefined && node.image !== target.image);
  const up = pending.filter(({ power }) => power === 'up');
  const plan = (nodes: readonly Node[]) => courseOf(inventory, nodes, rules, policy, tried);
  const { course, waiting } = lost.length > 0 ? withoutStuck(plan, up) : { course: plan(up), waiting: [] };
  const { rolled } = course;
  const leftOut = [...pending.filter(isLost).map(whyLeftOut), ...waiting];
  const { ms, because } = lowerBound(inventory, course.domains, course.durations);
  const { endMs, turns } = course.schedule;
  const unsure = uncertainty(inventory.estimates);
  return {
    format: 2,
    target,
    policy,
    failureDomain: failureDomain(inventory),
    tasks: tasksOf(inventory, target, rules),
    waves: course.groups.map((group, index) => waveOf(group, index, course, tried)),
    turns,
    leftOut,
    etaMs: endMs,
    bandMs: [Math.max(Math.min(ms, endMs), Math.round(endMs * (1 - unsure))), Math.round(endMs * (1 + unsure))],
    lowerBoundMs: Math.min(ms, endMs),
    binding: because,
    advice: advice(inventory, endMs, more => courseOf(more, rolled, rules, policy, tried).schedule.endMs),
    waitsFor: unique([
      ...pending.filter(({ power }) => power === 'booting').map(({ id }) => `${id} is booting`),
      ...(leftOut.length === pending.length ? leftOut.map(({ reason }) => reason) : []),
      ...[...(lost.length > 0 ? [] : course.stuck), ...course.schedule.stuck].map(({ reason }) => reason),
    ]),
  };
}

/** What cannot go without a node that is lost is left out as well, the first in line by itself, until all that is left can. */
function withoutStuck(plan: (nodes: readonly Node[]) => Course, nodes: readonly Node[]) {
  let course = plan(nodes);
  const waiting = [...course.stuck];
  for (let round = 1; ; round++) {
    const { rolled, schedule } = course;
    // What is tried again is not left out: the plan waits for it.
    const stuck = schedule.stuck.filter(({ node }) => rolled.some(({ id }) => id === node));
    if (stuck.length === 0) break;
    const leaving = round < ROUNDS ? stuck.slice(0, 1) : stuck;
    course = plan(rolled.filter(({ id }) => !leaving.some(({ node }) => node === id)));
    waiting.push(...leaving, ...course.stuck);
  }
  return { course, waiting };
}

/** From the nodes that are to be rolled to who goes when. */
export function courseOf(
  inventory: Inventory,
  rolled: readonly Node[],
  rules: readonly Rule[],
  policy: RolloutPolicy,
  failed: readonly NodeId[] = [],
): Course {
  const domains = inOrder(
    inventory,
    rolled.filter(({ id }) => !failed.includes(id)),
  );
  const most = Math.max(
    1,
    Math.floor(
      spareHosts(
        inventory,
        rolled.map(({ id }) => id),
      ),
    ),
  );
  const { groups: fresh, stuck } = cutWaves(domains, new Ledger(rules, inventory), policy, most);
  const groups = [...failed.map(node => retry(inventory, node)), ...fresh];
  const durations = expectedDurations(
    inventory,
    groups.map(({ nodes }) => nodes),
  );
  const apart = domains.some(({ rack }) => rack === undefined);
  const options = apart ? { intent: new Ledger(rules, inventory) } : {};
  return {
    domains,
    groups,
    stuck,
    rolled: rolled.filter(({ id }) => !stuck.some(({ node }) => node === id)),
    durations,
    schedule: schedule(groups, new Ledger(rules, inventory), durations, options),
  };
}

function waveOf(group: Group, index: number, { groups, schedule }: Course, failed: readonly NodeId[]): Wave {
  const mine = new Set(group.nodes);
  const turns = schedule.turns.filter(({ node }) => mine.has(node));
  return {
    nodes: group.nodes,
    ...(group.rack === undefined ? {} : { rack: group.rack }),
    width: schedule.widths[index] ?? 0,
    isGated: group.isGated,
    reason: reasonOf(group, index, groups, failed),
    safety: unique([...(schedule.drainSafety[index] ?? []), ...group.safety]),
    startMs: Math.min(...turns.map(turn => turn.drainMs), schedule.endMs),
    endMs: Math.max(0, ...turns.map(turn => turn.wholeMs)),
  };
}

function reasonOf({ nodes, rack, isGated }: Group, index: number, groups: readonly Group[], failed: readonly NodeId[]) {
  if (nodes.some(node => failed.includes(node)))
    return 'It failed before and is out of service: it is tried again first.';
  if (index === failed.length) return 'Canary: the node with the fewest virtual machines goes first, alone.';
  const of = rack === undefined ? '' : ` of rack ${rack}`;
  if (isGated)
    return `${counted(nodes.length, 'node')}${of}: at most twice as many as before, once those are back well.`;
  const others = groups.some((group, other) => other !== index && rack !== undefined && group.rack === rack);
  if (rack === undefined) return `${counted(nodes.length, 'node')} that share no placement group with each other.`;
  return others ? `${counted(nodes.length, 'node')} more of rack ${rack}.` : `All of rack ${rack} at once.`;
}

function tasksOf(inventory: Inventory, target: TargetRelease, rules: readonly PlanningRule[]): readonly PlannedTask[] {
  return rules.flatMap(({ name: driver, tasks }) =>
    (tasks?.(inventory, target) ?? [])
      .filter(task => !task.isDone)
      .map(({ name, phase, irreversible, reason }) => ({ driver, name, phase, irreversible, reason })),
  );
}

/** What follows a failed node's turn is planned for when it has come back. */
function asIfRepaired(inventory: Inventory, failed: readonly NodeId[]): Inventory {
  const repaired = (id: NodeId) => failed.includes(id);
  return { ...inventory, nodes: inventory.nodes.map(node => (repaired(node.id) ? { ...node, power: 'up' } : node)) };
}

function retry({ nodes }: Inventory, node: NodeId): Group {
  const rack = nodes.find(({ id }) => id === node)?.rack;
  return { nodes: [node], ...(rack === undefined ? {} : { rack }), isGated: true, safety: [] };
}

/** Nothing can be done about it from here: it is left out, and so is what may not go without it. */
function isLost({ power }: Node): boolean {
  return power === 'down' || power === 'unknown';
}

function whyLeftOut({ id, power }: Node): LeftOut {
  return { node: id, reason: power === 'unknown' ? `nobody reaches ${id}` : `${id} is not up` };
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}
