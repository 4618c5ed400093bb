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

/** The part of a driver that planning needs. */
export type PlanningRule = Rule & Pick<Driver, 'tasks'>;

export interface PlanOptions {
  readonly policy?: RolloutPolicy;
  /** Nodes that failed on the way to another release: out of service already, and tried first, one by one. */
  readonly failed?: readonly NodeId[];
}

/** Everything a rollover consists of before it is told as a plan. */
export interface Course {
  readonly domains: readonly Domain[];
  readonly groups: readonly Group[];
  readonly stuck: readonly Stuck[];
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
  const inventory = asIfRepaired(seen, failed);
  const pending = inventory.nodes.filter(node => target.image !== undefined && node.image !== target.image);
  const leftOut = pending.filter(({ power }) => power === 'down' || power === 'unknown').map(whyLeftOut);
  const rolled = pending.filter(({ power }) => power === 'up');
  const course = courseOf(inventory, rolled, rules, policy, failed);
  const { ms, because } = lowerBound(inventory, course.domains, course.durations);
  const { endMs, turns } = course.schedule;
  const unsure = uncertainty(inventory.estimates);
  return {
    format: 2,
    target,
    policy,
    failureDomain: failureDomain(inventory),
    tasks: tasksOf(inventory, target, rules),
    waves: course.groups.map((group, index) => waveOf(group, index, course, failed)),
    turns,
    leftOut,
    etaMs: endMs,
    bandMs: [Math.max(Math.min(ms, endMs), Math.round(endMs * (1 - unsure))), Math.round(endMs * (1 + unsure))],
    lowerBoundMs: Math.min(ms, endMs),
    binding: because,
    advice: advice(inventory, endMs, more => courseOf(more, rolled, rules, policy, failed).schedule.endMs),
    waitsFor: unique([
      ...pending.filter(({ power }) => power === 'booting').map(({ id }) => `${id} is booting`),
      ...(leftOut.length > 0 && leftOut.length === pending.length ? ['none of the nodes to be rolled is up'] : []),
      ...[...course.stuck, ...course.schedule.stuck].map(({ reason }) => reason),
    ]),
  };
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

function whyLeftOut({ id, power }: Node): LeftOut {
  return { node: id, reason: power === 'unknown' ? `nobody reaches ${id}` : `${id} is not up` };
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}
