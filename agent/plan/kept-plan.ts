// The plan that is shown stays the same while it fits: who reads it and then applies it applies what was read, though machines
// have moved meanwhile. One that does not fit any more, or is old, is made anew.
import type { Inventory, NodeId } from '../model/inventory.ts';
import type { Plan, TargetRelease } from '../model/plan.ts';
import { checkPlan, planHash } from './check.ts';
import { makePlan, type PlanningRule } from './planner.ts';

/** A cluster that got better is planned for again after this. */
const KEPT_MS = 5 * 60_000;

interface Kept {
  readonly plan: Plan;
  readonly hash: string;
  readonly madeMs: number;
  readonly failed: readonly NodeId[];
}

export interface CheckedPlan {
  readonly plan: Plan;
  readonly hash: string;
  /** What it waits for, and what the linter finds in it; empty: it may start. */
  readonly objections: readonly string[];
}

export class KeptPlan {
  readonly #rules: readonly PlanningRule[];
  #kept: Kept | undefined;

  constructor(rules: readonly PlanningRule[]) {
    this.#rules = rules;
  }

  /** @param failed nodes that failed on the way to another release */
  for(inventory: Inventory, target: TargetRelease, failed: readonly NodeId[], nowMs: number): CheckedPlan {
    const kept = this.#fitting(inventory, target, failed, nowMs) ?? this.#make(inventory, target, failed, nowMs);
    this.#kept = kept;
    const { plan, hash } = kept;
    return { plan, hash, objections: [...plan.waitsFor, ...checkPlan(plan, inventory, failed)] };
  }

  #make(inventory: Inventory, target: TargetRelease, failed: readonly NodeId[], madeMs: number): Kept {
    const plan = makePlan(inventory, target, this.#rules, { failed });
    return { plan, hash: planHash(plan), madeMs, failed };
  }

  #fitting(inventory: Inventory, target: TargetRelease, failed: readonly NodeId[], nowMs: number): Kept | undefined {
    const kept = this.#kept;
    if (!kept || nowMs - kept.madeMs > KEPT_MS || nowMs < kept.madeMs) return undefined;
    const isSame = kept.plan.target.manifest === target.manifest && same(kept.failed, failed);
    const fits = isSame && kept.plan.waitsFor.length === 0 && checkPlan(kept.plan, inventory, failed).length === 0;
    return fits ? kept : undefined;
  }
}

function same(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((node, i) => node === b[i]);
}
