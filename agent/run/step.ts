// The heart of a rollover: from what is seen and what is recorded to what is done next. Pure and level-triggered: it asks
// where each node is, never what was done last, so a new leader goes on where a dead one stopped.
import { Ledger } from '../ledger/ledger.ts';
import { CORDONED, DOWN } from '../lifecycle/node.ts';
import { heldTo, type RolloverStatus } from '../lifecycle/rollover.ts';
import type { Node, NodeId } from '../model/inventory.ts';
import type { Plan } from '../model/plan.ts';
import { mayBeEmptied, mayGoDown } from '../plan/gates.ts';
import { type Call, isBack, type Move, NodeStep } from './node-step.ts';
import { nextTask, type TaskCall } from './task-step.ts';
import type { World } from './world.ts';

export interface Decision {
  readonly actions: readonly (Move | Call | TaskCall)[];
  /** Nodes that nothing may be placed on. */
  readonly out: ReadonlySet<NodeId>;
  readonly status: RolloverStatus;
  /** What it is doing, or waiting for. */
  readonly reason: string;
}

/** One round. */
export function step(world: World): Decision {
  const out = new Set([...world.records].filter(([, { state }]) => CORDONED.has(state)).map(([node]) => node));
  const held = heldTo(world.status);
  const before = nextTask(world, 'before');
  if (before && !held) return { actions: [before.call], out, status: 'running', reason: before.reason };
  const round = new Round(world, out);
  if (!round.isOver) return round.decide();
  const after = nextTask(world, 'after');
  if (after && held) return settled(held, out);
  if (after) return { actions: [after.call], out, status: 'running', reason: after.reason };
  return { actions: [], out, status: 'completed', reason: endOf(world.plan) };
}

function settled(status: 'paused' | 'aborted', out: ReadonlySet<NodeId>): Decision {
  return { actions: [], out, status, reason: 'Nothing is under way.' };
}

function endOf({ waves, leftOut }: Plan): string {
  if (leftOut.length > 0) return `Done, but for ${leftOut.map(({ node }) => node).join(', ')}.`;
  return waves.length === 0 ? 'There was nothing to reboot.' : 'Every node runs the new release.';
}

class Round {
  readonly #world: World;
  readonly #out: Set<NodeId>;
  readonly #nodes: ReadonlyMap<NodeId, Node>;
  readonly #ledger: Ledger;
  /** Where hosts are kept apart: nodes count as down from their first move on. */
  readonly #intent: Ledger | undefined;
  readonly #step: NodeStep;
  readonly #firstAway: number;
  readonly #firstUnwhole: number;

  constructor(world: World, out: Set<NodeId>) {
    const { inventory, plan, records, drivers } = world;
    this.#world = world;
    this.#out = out;
    this.#nodes = new Map(inventory.nodes.map(node => [node.id, node]));
    this.#ledger = new Ledger(drivers, inventory);
    this.#intent = plan.failureDomain === 'host' ? new Ledger(drivers, inventory) : undefined;
    for (const [node, { state }] of records) {
      if (CORDONED.has(state)) this.#ledger.drain(node);
      if (DOWN.has(state)) this.#ledger.stop(node);
      if (CORDONED.has(state) && state !== 'verifying') this.#intent?.stop(node);
    }
    this.#step = new NodeStep(world, this.#ledger);
    this.#firstAway = this.#first(node => !this.#isOnTarget(node) && !this.#isPassedOver(node));
    this.#firstUnwhole = this.#first(node => !this.#isDone(node) && !this.#isPassedOver(node));
  }

  get isOver(): boolean {
    return this.#firstUnwhole === this.#world.plan.waves.length && this.#step.failed.length === 0;
  }

  decide(): Decision {
    const { plan, records, status } = this.#world;
    const held = heldTo(status);
    const isHeld = this.#isStopped || held !== undefined;
    for (const { nodes } of plan.waves) {
      for (const node of nodes) {
        const state = records.get(node)?.state ?? 'active';
        if (!(state === 'active' || state === 'drained' || (state === 'draining' && isHeld))) this.#step.advance(node);
      }
    }
    if (isHeld) this.#giveBack();
    else {
      this.#stopDrained();
      this.#emptyNext();
    }
    this.#step.finish();
    if (held && this.#isSettled) return settled(held, this.#out);
    const { actions, waits } = this.#step;
    const name = `Wave ${Math.min(this.#firstUnwhole + 1, plan.waves.length)} of ${plan.waves.length}`;
    const underWay = held ? ({ paused: 'pausing', aborted: 'aborting' } as const)[held] : undefined;
    const what = this.#isStopped ? `${this.#step.failed.join(', ')} has failed and needs an operator` : waits[0];
    return {
      actions,
      out: this.#out,
      status: underWay ?? (this.#isStopped ? 'blocked' : 'running'),
      reason: what === undefined ? `${name}.` : `${name}: ${what}.`,
    };
  }

  /** What fails before the last gate says something about the release; later, so many may fail as the policy bears. */
  get #isStopped(): boolean {
    const { failed } = this.#step;
    if (failed.length === 0) return false;
    const { waves, policy } = this.#world.plan;
    const gated = new Set(waves.flatMap(wave => (wave.isGated ? wave.nodes : [])));
    const isAtEnd = this.#firstUnwhole === waves.length;
    return isAtEnd || failed.length > policy.failureBudget || failed.some(node => gated.has(node));
  }

  /** What was emptied ahead and will not go now takes load again. */
  #giveBack(): void {
    for (const [node, { state }] of this.#world.records) {
      if (state === 'draining' || state === 'drained') this.#step.giveBack(node);
    }
  }

  /** No node is on its way: each is in service, or has failed. */
  get #isSettled(): boolean {
    return [...this.#world.records.values()].every(({ state }) => state === 'active' || state === 'failed');
  }

  #stopDrained(): void {
    this.#eachTurn(mayGoDown, node => {
      if (this.#world.records.get(node)?.state === 'drained') this.#step.advance(node);
      return true;
    });
  }

  /** In the order of their turns; the first that finds no room keeps it from all behind. */
  #emptyNext(): void {
    this.#eachTurn(mayBeEmptied, node => {
      const state = this.#world.records.get(node)?.state ?? 'active';
      const seen = this.#nodes.get(node);
      if (state !== 'active' || this.#isOnTarget(node) || !seen) return true;
      const fits = this.#intent?.mayStop(node);
      if (fits && !fits.ok) {
        this.#step.wait(fits.reasons[0] as string);
        return true;
      }
      if (!this.#step.admit(seen)) return false;
      this.#intent?.stop(node);
      this.#out.add(node);
      return true;
    });
  }

  #eachTurn(rule: typeof mayGoDown, act: (node: NodeId) => boolean): void {
    const { waves } = this.#world.plan;
    const progress = { firstAway: this.#firstAway, firstUnwhole: this.#firstUnwhole };
    for (let index = this.#firstAway; index < waves.length && rule(waves, index, progress); index++) {
      for (const node of waves[index]?.nodes ?? []) if (!act(node)) return;
    }
  }

  #first(isOpen: (node: NodeId) => boolean): number {
    const { waves } = this.#world.plan;
    const index = waves.findIndex(({ nodes }) => nodes.some(isOpen));
    return index < 0 ? waves.length : index;
  }

  /** Back, with the right image: what it holds may still recover. */
  #isOnTarget(id: NodeId): boolean {
    const record = this.#world.records.get(id);
    const node = this.#nodes.get(id);
    if (node?.power !== 'up' || node.image !== this.#world.plan.target.image) return false;
    return record === undefined || record.state === 'active' || (record.state === 'verifying' && isBack(node, record));
  }

  #isDone(id: NodeId): boolean {
    return (this.#world.records.get(id)?.state ?? 'active') === 'active' && this.#isOnTarget(id);
  }

  /** A dead node blocks only what depends on it: the ledger knows what that is. */
  #isPassedOver(id: NodeId): boolean {
    return this.#world.records.get(id)?.state === 'failed';
  }
}
