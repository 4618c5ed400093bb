// An agent of the product on virtual time: the real executor and drivers. It dies, stops and comes back when it is told to.
import type { Change, Leadership } from '../../agent/coordination/coordination.ts';
import { cephDriver } from '../../agent/drivers/ceph/driver.ts';
import { microosDriver } from '../../agent/drivers/microos/driver.ts';
import { novaDriver } from '../../agent/drivers/nova/driver.ts';
import { quorumDriver } from '../../agent/drivers/quorum/driver.ts';
import { observe } from '../../agent/inventory/observe.ts';
import type { RolloverDeed } from '../../agent/lifecycle/rollover.ts';
import type { Inventory, NodeId } from '../../agent/model/inventory.ts';
import type { TargetRelease } from '../../agent/model/plan.ts';
import { makePlan } from '../../agent/plan/planner.ts';
import { Executor, failedNodes } from '../../agent/run/executor.ts';
import type { Driver } from '../../agent/sdk/index.ts';
import type { Clock } from './clock.ts';
import type { Order, Orders } from './orders.ts';
import { SESSION_MS, type Session, type Store } from './store.ts';
import type { Listener, Wire } from './wire.ts';

const ROUND_MS = 2000;
const RENEW_MS = SESSION_MS / 4;
/** An operator looks after a rollover that has stopped. */
const OPERATOR_MS = 300_000;

export interface Surroundings {
  readonly clock: Clock;
  readonly wire: Wire;
  readonly store: Store;
  readonly orders: Orders;
  readonly target: TargetRelease;
  readonly rebootTimeoutMs: number;
  look(): Inventory;
  /** Asked before and after each commit and order: whether the agent dies here. */
  diesHere(): boolean;
  say(text: string): void;
}

/** One life of an agent's process. */
class Process implements Listener {
  isAlive = true;
  #isStopped = false;
  #held: (() => void)[] = [];

  hears(hear: () => void): void {
    if (!this.isAlive) return;
    if (this.#isStopped) this.#held.push(hear);
    else hear();
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** What it should have noticed meanwhile it notices first. */
  goOn(notice: () => void): void {
    this.#isStopped = false;
    notice();
    const held = this.#held;
    this.#held = [];
    for (const hear of held) this.hears(hear);
  }

  get canAct(): boolean {
    return this.isAlive && !this.#isStopped;
  }
}

export class Agent {
  readonly name: string;
  skewMs = 0;
  /** Cut from the ensemble, from the cluster. */
  readonly cut = { store: false, cluster: false };
  executor: Executor | undefined;
  #process = new Process();
  #blockedAtMs: number | undefined;
  #checkSession: () => void = () => undefined;
  readonly #around: Surroundings;

  constructor(name: string, around: Surroundings) {
    this.name = name;
    this.#around = around;
  }

  start(): void {
    this.#process = new Process();
    this.#live(this.#process).catch(error => this.#around.say(`${this.name} BROKE: ${(error as Error).stack}`));
  }

  die(returnsAfterMs: number): void {
    if (!this.#process.isAlive) return;
    this.#around.say(`${this.name} dies`);
    this.#process.isAlive = false;
    this.executor = undefined;
    this.#around.clock.after(returnsAfterMs, () => this.start());
  }

  stop(forMs: number): void {
    const process = this.#process;
    if (!process.canAct) return;
    this.#around.say(`${this.name} stops`);
    process.stop();
    this.#around.clock.after(forMs, () => process.goOn(() => this.#checkSession()));
  }

  async #live(process: Process): Promise<void> {
    for (;;) {
      const session = await this.#campaign(process);
      const lost = new AbortController();
      this.#keep(process, session, lost);
      await this.#lead(process, session, lost.signal);
      lost.abort();
    }
  }

  async #campaign(process: Process): Promise<Session> {
    const { wire, store } = this.#around;
    for (;;) {
      const isCut = () => this.cut.store;
      const session = await wire.once(process, isCut, () => store.campaign(this.name)).catch(() => undefined);
      if (session) return session;
      await this.#sleep(process, 1000);
    }
  }

  async #lead(process: Process, session: Session, lost: AbortSignal): Promise<void> {
    const { store, wire, say, clock, rebootTimeoutMs } = this.#around;
    say(`${this.name} leads in epoch ${session.epoch}`);
    const isCut = () => this.cut.store;
    const commit = async (changes: readonly Change[]) => {
      this.#mayDie();
      await wire.once(process, isCut, () => store.commit(session, changes));
      this.#mayDie();
    };
    const leadership: Leadership = { epoch: session.epoch, lost, commit };
    const drivers = this.#drivers(process, session.epoch);
    const values = await wire.once(process, isCut, () => new Map(store.values)).catch(() => undefined);
    if (!values) return;
    const now = () => clock.nowMs + this.skewMs;
    const options = { leadership, drivers, rebootTimeoutMs, now, elapsedMs: () => clock.nowMs, onCompleted: () => [] };
    const executor = new Executor(options, values);
    this.executor = executor;
    while (!lost.aborted && !executor.isOver) {
      await this.#round(executor, drivers).catch(error => say(`${this.name}: ${(error as Error).message}`));
      await this.#sleep(process, ROUND_MS);
    }
    say(`${this.name} leads no more`);
    this.executor = undefined;
  }

  async #round(executor: Executor, drivers: readonly Driver[]): Promise<void> {
    const { target, orders, clock, say } = this.#around;
    orders.lookedAtMs.set(this.name, clock.nowMs);
    const seen = await observe(drivers);
    const { rollover, records } = executor.view();
    if (rollover?.status !== 'blocked') this.#blockedAtMs = undefined;
    else this.#blockedAtMs ??= clock.nowMs;
    const isLeft = clock.nowMs - (this.#blockedAtMs ?? clock.nowMs) > OPERATOR_MS;
    if (!rollover || isLeft) {
      const plan = makePlan(seen, target, drivers, { failed: failedNodes(records) });
      const refused = (error: unknown) => say(`${this.name} does not begin: ${(error as Error).message}`);
      if (plan.waitsFor.length === 0) await executor.begin(plan, seen).catch(refused);
    }
    await executor.tick(seen);
  }

  async ask(deed: RolloverDeed): Promise<void> {
    const { say } = this.#around;
    say(`the operator asks ${this.name} to ${deed}`);
    await this.executor?.ask(deed).catch(error => say(`${this.name}: ${(error as Error).message}`));
  }

  /** Renews the session as long as it can; notices by its own watch when it cannot. */
  #keep(process: Process, session: Session, lost: AbortController): void {
    const { clock, store } = this.#around;
    let renewedAtMs = clock.nowMs;
    const check = () => {
      if (clock.nowMs - renewedAtMs > (2 * SESSION_MS) / 3 || !store.isLeading(session)) lost.abort();
    };
    this.#checkSession = check;
    const renew = () => {
      if (!process.isAlive || lost.signal.aborted) return;
      if (process.canAct && !this.cut.store && store.isLeading(session)) {
        store.renew(session);
        renewedAtMs = clock.nowMs;
      }
      if (process.canAct) check();
      clock.after(RENEW_MS, renew);
    };
    renew();
  }

  #sleep(process: Process, ms: number): Promise<void> {
    return new Promise(resolve => this.#around.clock.after(ms, () => process.hears(resolve)));
  }

  #mayDie(): void {
    if (this.#around.diesHere()) this.die(5000);
  }

  #drivers(process: Process, epoch: number): readonly Driver[] {
    const { wire, look, orders, clock } = this.#around;
    const isCut = () => this.cut.cluster;
    let pending: Promise<Inventory> | undefined;
    // Four drivers look at once: they share one answer.
    const inspect = () => {
      pending ??= wire.call(process, isCut, look).finally(() => {
        pending = undefined;
      });
      return pending;
    };
    const send = async (order: Order, said: number) => {
      this.#mayDie();
      const lookedAtMs = orders.lookedAtMs.get(this.name) ?? clock.nowMs;
      await wire.call(process, isCut, () => orders.arrive(order, { epoch, said, lookedAtMs }));
      this.#mayDie();
    };
    return [
      novaDriver({
        inspect,
        enable: (node, on, said) => send({ kind: 'compute', node, on }, said),
        migrate: (vm, node, said) => send({ kind: 'migrate', vm, node }, said),
      }),
      cephDriver({ inspect, setNoout: (node, on, said) => send({ kind: 'noout', node, on }, said) }),
      quorumDriver({ inspect }),
      microosDriver({ inspect, reboot: (node: NodeId, bootId, said) => send({ kind: 'reboot', node, bootId }, said) }),
    ];
  }
}
