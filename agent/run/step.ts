// The heart of a rollover: from what is seen and what is recorded to what is done next. Pure and level-triggered: it asks
// where each node is, never what was done last, so a new leader goes on where a dead one stopped.
import { Ledger } from '../ledger/ledger.ts';
import { CORDONED, DOWN } from '../lifecycle/node.ts';
import { heldTo, type RolloverStatus } from '../lifecycle/rollover.ts';
import type { Node, NodeId } from '../model/inventory.ts';
import type { Plan } from '../model/plan.ts';
import { mayBeEmptied, mayGoDown, type Progress } from '../plan/gates.ts';
import { AT_REST, misfit } from './misfit.ts';
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
  /** Nothing is under way, and the rest is to be planned anew. */
  readonly isMisfit?: boolean;
}

/** One round. */
export function step(world: World): Decision {
  const out = new Set([...world.records].filter(([, { state }]) => CORDONED.has(state)).map(([node]) => node));
  const held = heldTo(world.status);
  const before = nextTask(world, 'before');
  if (before && !held) return { actions: [before.call], out, status: 'running', reason: before.reason };
  const round = new Round(world, out);
  const unfit = held ? undefined : misfit(world);
  if (!round.isOver || unfit !== undefined) return round.decide(unfit);
  const after = nextTask(world, 'after');
  if (after && held) return settled(held, out);
  if (after) return { actions: [after.call], out, status: 'running', reason: after.reason };
  const waiting = aliveAndLeftOut(world);
  if (waiting !== undefined) return { actions: [], out, status: 'blocked', reason: waiting };
  return { actions: [], out, status: 'completed', reason: endOf(world.plan) };
}

/** A node that is dead boots the release when it is back. One that is up and was left out waits for the dead one. */
function aliveAndLeftOut({ plan, inventory }: World): string | undefined {
  const isOld = new Set(
    inventory.nodes.filter(({ power, image }) => power === 'up' && image !== plan.target.image).map(({ id }) => id),
  );
  const waiting = plan.leftOut.filter(({ node }) => isOld.has(node));
  if (waiting.length === 0) return undefined;
  const dead = inventory.nodes.filter(({ power }) => power === 'down' || power === 'unknown').map(({ id }) => id);
  return `${waiting.map(({ node }) => node).join(', ')} cannot go before ${dead.join(', ') || 'the cluster'} is back.`;
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

  /** @param unfit why the plan does not fit any more */
  decide(unfit: string | undefined): Decision {
    const { plan, records, status } = this.#world;
    const held = heldTo(status);
    const isHeld = this.#isStopped || held !== undefined || unfit !== undefined;
    // In the order of their turns; also those of an earlier plan that are still on their way.
    for (const node of new Set([...plan.waves.flatMap(({ nodes }) => nodes), ...records.keys()])) {
      const state = records.get(node)?.state ?? 'active';
      if (!(state === 'active' || state === 'drained' || (state === 'draining' && isHeld))) this.#step.advance(node);
    }
    if (isHeld) this.#giveBack();
    else {
      this.#stopDrained();
      this.#emptyNext();
    }
    if (!isHeld && this.#isStuck) this.#giveBack();
    this.#step.finish();
    if (held && this.#isSettled) return settled(held, this.#out);
    const { actions, waits } = this.#step;
    if (unfit !== undefined && !this.#isStopped) {
      const reason = `${unfit}: the rest is planned anew when nothing is under way.`;
      return { actions, out: this.#out, status: 'running', reason, isMisfit: this.#isSettled };
    }
    const name = `Wave ${Math.min(this.#firstUnwhole + 1, plan.waves.length)} of ${plan.waves.length}`;
    const underWay = held ? ({ paused: 'pausing', aborted: 'aborting' } as const)[held] : undefined;
    const isStopped = this.#isStopped || this.#isStuck;
    const what = isStopped ? `${this.#step.failed.join(', ')} has failed and needs an operator` : waits[0];
    return {
      actions,
      out: this.#out,
      status: underWay ?? (isStopped ? 'blocked' : 'running'),
      reason: what === undefined ? `${name}.` : `${name}: ${what}.`,
    };
  }

  /** What fails before the last gate says something about the release; later, so many may fail as the policy bears. */
  get #isStopped(): boolean {
    const { failed } = this.#step;
    if (failed.length === 0) return false;
    // Once stopped, nothing is tried again until what failed is back, or an operator has another plan.
    if (this.#world.status === 'blocked') return true;
    const { waves, policy } = this.#world.plan;
    const gated = new Set(waves.flatMap(wave => (wave.isGated ? wave.nodes : [])));
    const isAtEnd = this.#firstUnwhole === waves.length;
    return isAtEnd || failed.length > policy.failureBudget || failed.some(node => gated.has(node));
  }

  /** Nothing moves, and without what has failed nothing can. */
  get #isStuck(): boolean {
    const { actions, failed } = this.#step;
    const isMoving = [...this.#world.records.values()].some(({ state }) => !AT_REST.has(state) || state === 'draining');
    return failed.length > 0 && actions.every(({ kind }) => kind === 'undrain') && !isMoving;
  }

  /** What was emptied ahead and will not go now takes load again. */
  #giveBack(which: (node: NodeId) => boolean = () => true): void {
    for (const [node, { state }] of this.#world.records) {
      if ((state === 'draining' || state === 'drained') && which(node)) this.#step.giveBack(node);
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

  /**
   * In the order of their turns; the first that finds no room keeps it from all behind. Who does not fit to what is down is passed
   * by those that may go down before it, and by no others: they would wait for it, and it for them. Those are given back.
   */
  #emptyNext(): void {
    let isOneWaiting = false;
    this.#eachTurn(mayBeEmptied, (node, index) => {
      const state = this.#world.records.get(node)?.state ?? 'active';
      const seen = this.#nodes.get(node);
      if (state !== 'active' || this.#isOnTarget(node) || !seen) return true;
      if (isOneWaiting && !this.#mayGoDown(index)) return false;
      const fits = this.#intent?.mayStop(node);
      if (fits && !fits.ok) {
        isOneWaiting = true;
        this.#step.wait(fits.reasons[0] as string);
        return true;
      }
      if (!this.#step.admit(seen)) return false;
      this.#intent?.stop(node);
      this.#out.add(node);
      return true;
    });
    if (isOneWaiting) this.#giveBack(node => !this.#mayGoDown(this.#waveOf(node)));
  }

  #eachTurn(rule: typeof mayGoDown, act: (node: NodeId, index: number) => boolean): void {
    const { waves } = this.#world.plan;
    for (let index = this.#firstAway; index < waves.length && rule(waves, index, this.#progress); index++) {
      for (const node of waves[index]?.nodes ?? []) if (!act(node, index)) return;
    }
  }

  #waveOf(node: NodeId): number {
    return this.#world.plan.waves.findIndex(({ nodes }) => nodes.includes(node));
  }

  #mayGoDown(index: number): boolean {
    return mayGoDown(this.#world.plan.waves, index, this.#progress);
  }

  get #progress(): Progress {
    return { firstAway: this.#firstAway, firstUnwhole: this.#firstUnwhole };
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
