// Carries a plan out: observe, decide, write down, act, and again. The deciding is `step.ts`; here is only the order of
// things, so that a crash between any two of them is taken up by whoever leads next.

import { counted } from '../../signing/index.ts';
import type { Change, Coordination, Leadership } from '../coordination/coordination.ts';
import { agentError } from '../errors.ts';
import { disown, release, reserve } from '../ledger/reservations.ts';
import { isInService, sweep } from '../ledger/sweep.ts';
import { mayBecome } from '../lifecycle/node.ts';
import { type Deed, isEnded, mayBegin, ROLLOVER_DEEDS, type RolloverDeed } from '../lifecycle/rollover.ts';
import type { Inventory, NodeId } from '../model/inventory.ts';
import type { Plan } from '../model/plan.ts';
import type { JournalEntry, NodeRecord, OwnedEffect, Rollover } from '../model/rollover.ts';
import { checkPlan, planHash } from '../plan/check.ts';
import { makePlan } from '../plan/planner.ts';
import type { Driver } from '../sdk/index.ts';
import { changed } from './misfit.ts';
import type { Call, Move } from './node-step.ts';
import { Orders } from './orders.ts';
import { type Decision, step } from './step.ts';
import type { TaskCall } from './task-step.ts';
import type { World } from './world.ts';

/** The journal keeps this many entries; a rollover of a thousand nodes writes about six thousand. */
const JOURNAL_KEPT = 20_000;

export interface ExecutorOptions {
  readonly leadership: Leadership;
  readonly drivers: readonly Driver[];
  readonly rebootTimeoutMs: number;
  now(): number;
  /** Of a clock that never jumps; milliseconds. */
  elapsedMs(): number;
  /** Called when the rollover ends well, in the same commit. */
  onCompleted(plan: Plan): readonly Change[];
}

export interface ExecutorView {
  readonly rollover: Rollover | undefined;
  readonly plan: Plan | undefined;
  readonly records: ReadonlyMap<NodeId, NodeRecord>;
  /** Of nodes that are out of service. */
  readonly effects: readonly OwnedEffect[];
  readonly journal: readonly JournalEntry[];
}

/** The leader's hands. One at a time; built anew whenever leadership changes. */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #values: Map<string, unknown>;
  #nextEntry: number;
  #isOver = false;
  readonly #orders: Orders;
  /** One thing at a time: a click must not come between the halves of a round. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: ExecutorOptions, values: ReadonlyMap<string, unknown>) {
    this.#options = options;
    this.#values = new Map(values);
    this.#orders = new Orders(options.leadership, options.elapsedMs);
    const newest = this.#keys('journal/').at(-1);
    this.#nextEntry = newest === undefined ? 0 : Number(newest.slice('journal/'.length)) + 1;
  }

  /** Becomes the leader, and takes up what an earlier one left. */
  static async lead(coordination: Coordination, options: Omit<ExecutorOptions, 'leadership'>): Promise<Executor> {
    const leadership = await coordination.campaign();
    return new Executor({ ...options, leadership }, await coordination.read(''));
  }

  get epoch(): number {
    return this.#options.leadership.epoch;
  }

  /**
   * Starts a plan that the operator chose. Nodes that failed before are tried again with its release.
   *
   * @throws `rollover-running`, `plan-blocked` when the linter or the planner objects
   */
  begin(plan: Plan, inventory: Inventory): Promise<void> {
    return this.#inTurn(() => this.#begin(plan, inventory));
  }

  /**
   * The operator's word. Asking twice is asking once.
   *
   * @throws `rollover-deed` for what cannot be asked of it now
   */
  ask(deed: RolloverDeed): Promise<void> {
    return this.#inTurn(() => this.#ask(deed));
  }

  /** One round. Does nothing while no rollover is under way. Returns whether it did anything. */
  tick(inventory: Inventory): Promise<boolean> {
    return this.#inTurn(() => this.#tick(inventory));
  }

  async #begin(plan: Plan, inventory: Inventory): Promise<void> {
    const records = this.#records();
    const status = this.#rollover?.status;
    if (!mayBegin(status)) throw agentError('rollover-running', `A rollover is ${status}.`);
    const underWay = [...records].filter(([, { state }]) => state !== 'active' && state !== 'failed');
    if (underWay.length > 0) {
      const [node, { state }] = underWay[0] as (typeof underWay)[number];
      throw agentError('rollover-running', `${node} is still ${state}.`);
    }
    const objections = [...plan.waitsFor, ...checkPlan(plan, inventory, failedNodes(records))];
    if (objections.length > 0) throw agentError('plan-blocked', `The plan cannot start: ${objections.join('; ')}`);
    const started = this.#options.now();
    const rollover: Rollover = { plan: planHash(plan), status: 'running', reason: 'Starting.', startedAt: started };
    const changes: Change[] = [
      { op: 'put', key: 'plan', value: plan },
      { op: 'put', key: 'rollover', value: rollover },
    ];
    const planned = new Set(plan.turns.map(({ node }) => node));
    for (const node of failedNodes(records).filter(failed => planned.has(failed))) {
      const image = inventory.nodes.find(({ id }) => id === node)?.image;
      // It may have come back meanwhile, with the right image: then it is taken back, and not told to boot once more.
      const isBack = image === plan.target.image;
      const release = plan.target.manifest;
      const record: NodeRecord = isBack
        ? { state: 'verifying', sinceMs: started, release }
        : { state: 'drained', sinceMs: started, release, isRetried: true };
      changes.push({ op: 'put', key: `nodes/${node}`, value: record });
    }
    await this.#commit(changes, {
      text: `Rollover to ${plan.target.version} started: ${counted(plan.waves.length, 'wave')}.`,
    });
  }

  async #ask(deed: RolloverDeed): Promise<void> {
    const rollover = this.#rollover;
    if (!rollover) throw agentError('rollover-deed', `There is no rollover to ${deed}.`);
    const { status } = rollover;
    const { from, to, done, effect }: Deed = ROLLOVER_DEEDS[deed];
    if (done.includes(status)) return;
    if (!from.includes(status)) {
      throw agentError('rollover-deed', `The rollover is ${status}: there is nothing to ${deed}.`);
    }
    const next: Rollover = { ...rollover, status: to, reason: effect };
    await this.#commit([{ op: 'put', key: 'rollover', value: next }], { text: `The operator said ${deed}. ${effect}` });
  }

  async #tick(inventory: Inventory): Promise<boolean> {
    const { rollover, plan } = this.view();
    if (plan) await this.#sweep(inventory, plan);
    if (!rollover || !plan || isEnded(rollover.status)) return false;
    const { status } = rollover;
    const { drivers, rebootTimeoutMs } = this.#options;
    const records = this.#records();
    const quietMs = (node: NodeId) => this.#orders.quietMs(node);
    const nowMs = this.#options.now();
    const world = { status, inventory, plan, records, drivers, nowMs, quietMs, rebootTimeoutMs };
    const decision = step(world);
    if (decision.isMisfit) return this.#refit(rollover, world, decision);
    for (const action of decision.actions) if (action.kind === 'move') await this.#move(action, rollover.plan);
    const calls = decision.actions.filter((action): action is Call | TaskCall => action.kind !== 'move');
    const scene = { inventory, out: decision.out, target: plan.target, records: this.#records() };
    const failures = await this.#orders.send(calls, scene);
    await this.#report(rollover, plan, decision, failures);
    return decision.actions.length > 0;
  }

  /** Also after the rollover: what an order that came late has done to a node in service is taken back. */
  async #sweep(inventory: Inventory, { target }: Plan): Promise<void> {
    const { drivers } = this.#options;
    const [effects, records] = [this.#effects(), this.#records()];
    if (effects.length === 0) return;
    const quietMs = (node: NodeId) => this.#orders.quietMs(node);
    const { owing, clean } = sweep({ effects, records, inventory, drivers, quietMs });
    const calls = owing.map(({ node, driver }) => ({ kind: 'undrain' as const, nodes: [node], driver }));
    if (calls.length > 0) await this.#orders.send(calls, { inventory, out: new Set(), target, records });
    if (clean.length > 0) await this.#commit(clean.flatMap(node => disown(drivers, node)));
  }

  /** Plans the rest anew. What changes more than the policy allows waits for the operator, who finds the plan as a proposal. */
  async #refit(rollover: Rollover, world: World, decision: Decision): Promise<boolean> {
    const { inventory, drivers, plan } = world;
    const next = makePlan(inventory, plan.target, drivers, { policy: plan.policy });
    const [objection] = [...next.waitsFor, ...checkPlan(next, inventory)];
    const { nodes, ofNodes } = changed(world, next);
    const needsConsent = nodes * 100 > plan.policy.consentAbovePercent * ofNodes;
    if (objection !== undefined || needsConsent) {
      const consent = `the rest of the plan changes for ${nodes} of ${counted(ofNodes, 'node')}, and waits for consent.`;
      const reason = `${decision.reason.split(':')[0]}: ${objection ?? consent}`;
      await this.#report(
        rollover,
        plan,
        { ...decision, status: objection === undefined ? 'blocked' : 'running', reason },
        [],
      );
      return false;
    }
    const reason = `Planned anew, because ${decision.reason}`;
    const changes: Change[] = [
      { op: 'put', key: 'plan', value: next },
      { op: 'put', key: 'rollover', value: { ...rollover, plan: planHash(next), status: 'running', reason } },
    ];
    await this.#commit(changes, { text: reason });
    return true;
  }

  /** A commit failed, and nobody knows whether it counts: the truth has to be read anew, by a new term. */
  get isOver(): boolean {
    return this.#isOver;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work, work);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  /** Every change that is not part of a rollover, such as a first release. */
  record(changes: readonly Change[], text: string): Promise<void> {
    return this.#inTurn(() => this.#commit(changes, { text }));
  }

  view(): ExecutorView {
    return {
      rollover: this.#rollover,
      plan: this.#values.get('plan') as Plan | undefined,
      records: this.#records(),
      effects: this.#effects().filter(({ node }) => !isInService(this.#records().get(node))),
      journal: this.#keys('journal/').map(key => this.#values.get(key) as JournalEntry),
    };
  }

  get<T>(key: string): T | undefined {
    return this.#values.get(key) as T | undefined;
  }

  async #move(move: Move, plan: string): Promise<void> {
    if (!mayBecome(move.from, move.to)) throw new Error(`a node may not go from ${move.from} to ${move.to}`);
    const { drivers, leadership } = this.#options;
    const changes: Change[] = [{ op: 'put', key: `nodes/${move.node}`, value: move.record }];
    if (move.to === 'draining') changes.push(...reserve(drivers, move.node, plan, leadership.epoch));
    if (move.to === 'active') changes.push(...release(move.node));
    await this.#commit(changes, { node: move.node, from: move.from, to: move.to, text: move.text });
  }

  async #report(rollover: Rollover, plan: Plan, decision: Decision, failures: readonly string[]): Promise<void> {
    const reason = failures[0] ?? decision.reason;
    if (decision.status === 'completed') {
      const ended: Rollover = { ...rollover, status: 'completed', reason, endedAt: this.#options.now() };
      const changes: Change[] = [{ op: 'put', key: 'rollover', value: ended }, ...this.#options.onCompleted(plan)];
      return this.#commit(changes, { text: `Rollover to ${plan.target.version} completed.` });
    }
    const end = isEnded(decision.status) ? { endedAt: this.#options.now() } : {};
    const next: Rollover = { ...rollover, status: decision.status, reason, ...end };
    if (next.status === rollover.status) {
      // What it waits for changes many times a second; it is shown, and written only with the next commit.
      this.#values.set('rollover', next);
      return;
    }
    await this.#commit([{ op: 'put', key: 'rollover', value: next }], {
      text: `The rollover is ${next.status}: ${reason}`,
    });
  }

  /** Without an entry where nothing is decided. */
  async #commit(changes: readonly Change[], entry?: Omit<JournalEntry, 'at' | 'epoch'>): Promise<void> {
    const { leadership } = this.#options;
    const all = entry ? [...changes, ...this.#journal(entry)] : changes;
    if (this.#isOver) throw agentError('stale-epoch', `The term of epoch ${leadership.epoch} is over.`);
    await leadership.commit(all).catch(error => {
      this.#isOver = true;
      throw error;
    });
    if (entry) this.#nextEntry++;
    for (const change of all) {
      if (change.op === 'put') this.#values.set(change.key, change.value);
      else this.#values.delete(change.key);
    }
  }

  #journal(entry: Omit<JournalEntry, 'at' | 'epoch'>): readonly Change[] {
    const { leadership, now } = this.#options;
    const value: JournalEntry = { at: now(), epoch: leadership.epoch, ...entry };
    const put: Change = { op: 'put', key: journalKey(this.#nextEntry), value };
    if (this.#nextEntry < JOURNAL_KEPT) return [put];
    return [put, { op: 'delete', key: journalKey(this.#nextEntry - JOURNAL_KEPT) }];
  }

  get #rollover(): Rollover | undefined {
    return this.#values.get('rollover') as Rollover | undefined;
  }

  #records(): ReadonlyMap<NodeId, NodeRecord> {
    const prefix = 'nodes/';
    return new Map(this.#keys(prefix).map(key => [key.slice(prefix.length), this.#values.get(key) as NodeRecord]));
  }

  #effects(): readonly OwnedEffect[] {
    return this.#keys('effects/').map(key => this.#values.get(key) as OwnedEffect);
  }

  #keys(prefix: string): string[] {
    return [...this.#values.keys()].filter(key => key.startsWith(prefix)).sort();
  }
}

/** Nodes that failed in an earlier rollover and are to be tried again first. */
export function failedNodes(records: ReadonlyMap<NodeId, NodeRecord>): readonly NodeId[] {
  return [...records].filter(([, { state }]) => state === 'failed').map(([node]) => node);
}

/** Sorts as text in the order of time. */
function journalKey(sequence: number): string {
  return `journal/${String(sequence).padStart(9, '0')}`;
}
