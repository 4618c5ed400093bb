// Turns what is observed and what is wanted into a plan. Pure: the same input gives the same plan, byte for byte.
// Canary first, then 1, 2, 4, … nodes of one failure domain at a time, as many as every driver allows together.
import { counted } from '../../signing/index.ts';
import type { Inventory, NodeId } from '../model/inventory.ts';
import type { Batch, Plan, TargetRelease, Verdict } from '../model/plan.ts';
import { batchTimeMs, lowerBound } from './estimate.ts';

/** The part of a driver that planning needs. */
export interface SafetyRule {
  readonly name: string;
  safety(inventory: Inventory, out: ReadonlySet<NodeId>): Verdict;
}

/**
 * Plans the way from the inventory to the target. A plan without batches means: nothing has to be rebooted.
 *
 * @param failed nodes that failed on the way to another release: out of service already, and tried first, one by one
 */
export function makePlan(
  seen: Inventory,
  target: TargetRelease,
  rules: readonly SafetyRule[],
  failed: readonly NodeId[] = [],
): Plan {
  const inventory = asIfRepaired(seen, failed);
  const batches: Batch[] = failed.map(node => retry(inventory, node, rules));
  const waitsFor: string[] = [];
  let growth = 1;
  for (const [rack, all] of byRack(inventory, target)) {
    const pending = all.filter(node => !failed.includes(node));
    for (let left = pending; left.length > 0; ) {
      const { nodes, verdicts, blocked } = largestSafe(inventory, left.slice(0, growth), rules);
      waitsFor.push(...blocked);
      const place = {
        first: batches.length === 0,
        wholeRack: nodes.length === pending.length,
        last: nodes.length === left.length,
      };
      batches.push({
        nodes,
        rack,
        reason: reasonOf(nodes, rack, place),
        safety: verdicts.map(verdict => verdict.reason),
        etaMs: batchTimeMs(inventory, nodes),
      });
      left = left.slice(nodes.length);
      growth *= 2;
    }
  }
  return {
    format: 1,
    target,
    batches,
    ...lowerBound(inventory, batches),
    etaMs: total(batches),
    waitsFor: unique(waitsFor),
  };
}

/** Nodes that do not run the target yet; the rack with the emptiest one first, because it gives the cheapest canary. */
function byRack(inventory: Inventory, target: TargetRelease): readonly (readonly [string, readonly NodeId[]])[] {
  const load = new Map<NodeId, number>();
  for (const vm of inventory.vms) load.set(vm.host, (load.get(vm.host) ?? 0) + vm.memoryMb);
  const pending = inventory.nodes
    .filter(node => target.image !== undefined && node.image !== target.image)
    .toSorted((a, b) => (load.get(a.id) ?? 0) - (load.get(b.id) ?? 0) || compare(a.id, b.id));
  const racks = Map.groupBy(pending, node => node.rack);
  return [...racks].map(([rack, nodes]) => [rack, nodes.map(node => node.id)]);
}

/** As many of the candidates as may be out together; one at least, with the reasons why even that one has to wait. */
function largestSafe(inventory: Inventory, candidates: readonly NodeId[], rules: readonly SafetyRule[]) {
  for (let size = candidates.length; ; size--) {
    const nodes = candidates.slice(0, size);
    const verdicts = rules.map(rule => rule.safety(inventory, new Set(nodes)));
    const objections = verdicts.filter(verdict => !verdict.ok).map(verdict => verdict.reason);
    if (objections.length === 0 || size === 1) return { nodes, verdicts, blocked: objections };
  }
}

interface Place {
  readonly first: boolean;
  readonly wholeRack: boolean;
  readonly last: boolean;
}

function reasonOf(nodes: readonly NodeId[], rack: string, { first, wholeRack, last }: Place): string {
  if (first) return 'Canary: one node first, the one with the fewest virtual machines.';
  if (wholeRack) return `All of rack ${rack} at once: its nodes share no placement group.`;
  if (last) return `The rest of rack ${rack}.`;
  return `${counted(nodes.length, 'node')} of rack ${rack}: at most twice as many as before, within one failure domain.`;
}

/** What follows a failed node's batch is planned for when it has come back. */
function asIfRepaired(inventory: Inventory, failed: readonly NodeId[]): Inventory {
  const repaired = (id: NodeId) => failed.includes(id);
  return { ...inventory, nodes: inventory.nodes.map(node => (repaired(node.id) ? { ...node, power: 'up' } : node)) };
}

function retry(inventory: Inventory, node: NodeId, rules: readonly SafetyRule[]): Batch {
  return {
    nodes: [node],
    rack: inventory.nodes.find(({ id }) => id === node)?.rack ?? '',
    reason: 'It failed before and is out of service: it is tried again first.',
    safety: rules.map(rule => rule.safety(inventory, new Set([node])).reason),
    etaMs: batchTimeMs(inventory, [node]),
  };
}

function total(batches: readonly Batch[]): number {
  return batches.reduce((sum, batch) => sum + batch.etaMs, 0);
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
