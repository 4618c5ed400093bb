// Goes through a rollover in thought: who is drained, stopped, back and whole when. Every moment is judged by the same ledger
// that judges the real one, so what it finds is what can happen. Pure; also what the benchmark measures strategies with.
import TinyQueue from 'tinyqueue';
import type { Ledger } from '../ledger/ledger.ts';
import type { NodeId } from '../model/inventory.ts';
import type { Turn } from '../model/plan.ts';
import type { Durations } from './durations.ts';
import { mayBeEmptied, mayGoDown } from './gates.ts';
import type { Group, Stuck } from './waves.ts';

export interface Schedule {
  /** In the order of their stops. */
  readonly turns: readonly Turn[];
  /** Nodes whose turn never comes, and what the first of them waits for. */
  readonly stuck: readonly Stuck[];
  /** Most nodes of each group that were down at once. */
  readonly widths: readonly number[];
  /** What each group was told when its last node began to drain. */
  readonly drainSafety: readonly (readonly string[])[];
  readonly endMs: number;
}

type Happening = 'drained' | 'back' | 'whole';

interface Event {
  readonly atMs: number;
  readonly sequence: number;
  readonly kind: Happening;
  readonly node: NodeId;
}

export interface ScheduleOptions {
  /** False: nodes are emptied only when their turn to go down has come, as orchestrators without foresight do. */
  readonly prefetches?: boolean;
  /**
   * Where hosts are kept apart: a second ledger in which a node counts as down from its first move on. What is emptied fits to
   * what is down, so it does not wait in the end; who does not fit is passed over by those behind.
   */
  readonly intent?: Ledger;
}

export function schedule(
  groups: readonly Group[],
  ledger: Ledger,
  durations: Durations,
  options: ScheduleOptions = {},
): Schedule {
  return new Run(groups, ledger, durations, options).toEnd();
}

class Run {
  readonly #groups: readonly Group[];
  readonly #ledger: Ledger;
  readonly #durations: Durations;
  readonly #mayBeEmptied: typeof mayGoDown;
  readonly #intent: Ledger | undefined;
  readonly #events = new TinyQueue<Event>([], (a, b) => a.atMs - b.atMs || a.sequence - b.sequence);
  readonly #groupOf = new Map<NodeId, number>();
  /** Not drained yet, a list for each group. */
  readonly #pending: NodeId[][];
  /** Empty, and waiting to go down, a list for each group. */
  readonly #ready: NodeId[][];
  /** Nodes of each group that are not back, and that are not whole. */
  readonly #away: number[];
  readonly #unwhole: number[];
  readonly #down: number[];
  readonly #widths: number[];
  readonly #drainSafety: (readonly string[])[];
  readonly #turns = new Map<NodeId, { -readonly [K in keyof Turn]: Turn[K] }>();
  readonly #stops: NodeId[] = [];
  /** First group with a node that is not back, and that is not whole. */
  #firstAway = 0;
  #firstUnwhole = 0;
  #now = 0;
  #sequence = 0;

  constructor(groups: readonly Group[], ledger: Ledger, durations: Durations, options: ScheduleOptions) {
    this.#groups = groups;
    this.#ledger = ledger;
    this.#durations = durations;
    this.#intent = options.intent;
    this.#mayBeEmptied = options.prefetches === false ? mayGoDown : mayBeEmptied;
    this.#pending = groups.map(({ nodes }) => [...nodes]);
    this.#ready = groups.map(() => []);
    this.#away = groups.map(({ nodes }) => nodes.length);
    this.#unwhole = [...this.#away];
    this.#down = groups.map(() => 0);
    this.#widths = groups.map(() => 0);
    this.#drainSafety = groups.map(() => []);
    groups.forEach(({ nodes }, index) => {
      for (const node of nodes) this.#groupOf.set(node, index);
    });
  }

  toEnd(): Schedule {
    this.#begin();
    for (let event = this.#events.pop(); event; event = this.#events.pop()) {
      this.#now = event.atMs;
      this.#happen(event);
      // What happens at the same moment is seen together.
      if (this.#events.peek()?.atMs !== this.#now) this.#begin();
    }
    return {
      turns: this.#stops.map(node => this.#turns.get(node) as Turn),
      stuck: this.#stuck(),
      widths: this.#widths,
      drainSafety: this.#drainSafety,
      endMs: this.#now,
    };
  }

  #happen({ kind, node }: Event): void {
    const group = this.#groupOf.get(node) as number;
    const turn = this.#turns.get(node) as { -readonly [K in keyof Turn]: Turn[K] };
    if (kind === 'drained') this.#ready[group]?.push(node);
    else if (kind === 'back') {
      turn.backMs = this.#now;
      this.#ledger.start(node);
      this.#intent?.recover(node);
      this.#count(this.#away, group, -1);
      this.#count(this.#down, group, -1);
      this.#in(this.#durations.recoveryMs(node), 'whole', node);
    } else {
      turn.wholeMs = this.#now;
      this.#ledger.recover(node);
      this.#count(this.#unwhole, group, -1);
    }
    while (this.#away[this.#firstAway] === 0) this.#firstAway++;
    while (this.#unwhole[this.#firstUnwhole] === 0) this.#firstUnwhole++;
  }

  /** Begins whatever may begin now: first what is ready goes down, then what comes next is drained. */
  #begin(): void {
    for (let group = this.#firstAway; this.#isTurnOf(group, mayGoDown); group++) {
      const waiting = this.#ready[group] as NodeId[];
      if (waiting.length > 0) this.#ready[group] = waiting.filter(node => !this.#stop(node, group));
    }
    let isOneWaiting = false;
    for (let group = this.#firstAway; this.#isTurnOf(group, this.#mayBeEmptied); group++) {
      // Who does not fit to what is down is passed by those that may go down before it, and by no others.
      if (isOneWaiting && !this.#isTurnOf(group, mayGoDown)) return;
      if (!this.#drainGroup(group)) return;
      isOneWaiting ||= (this.#pending[group] as NodeId[]).length > 0;
    }
  }

  #isTurnOf(group: number, rule: typeof mayGoDown): boolean {
    const progress = { firstAway: this.#firstAway, firstUnwhole: this.#firstUnwhole };
    return group < this.#groups.length && rule(this.#groups, group, progress);
  }

  /** Returns false when there is no room: it goes to those whose turn is next, nobody further behind takes it from them. */
  #drainGroup(group: number): boolean {
    const waiting = this.#pending[group] as NodeId[];
    for (let i = 0; i < waiting.length; ) {
      const node = waiting[i] as NodeId;
      const fits = this.#intent?.mayStop(node).ok ?? true;
      if (!fits) i++;
      else if (this.#drain(node, group)) waiting.splice(i, 1);
      else return false;
    }
    return true;
  }

  #stop(node: NodeId, group: number): boolean {
    if (!this.#ledger.mayStop(node).ok) return false;
    this.#ledger.stop(node);
    this.#stops.push(node);
    (this.#turns.get(node) as { stopMs: number }).stopMs = this.#now;
    this.#count(this.#down, group, 1);
    this.#widths[group] = Math.max(this.#widths[group] as number, this.#down[group] as number);
    this.#in(this.#durations.rebootMs(node), 'back', node);
    return true;
  }

  #drain(node: NodeId, group: number): boolean {
    const { ok, reasons } = this.#ledger.mayDrain(node);
    if (!ok) return false;
    this.#ledger.drain(node);
    this.#intent?.stop(node);
    this.#drainSafety[group] = reasons;
    this.#turns.set(node, { node, drainMs: this.#now, stopMs: 0, backMs: 0, wholeMs: 0 });
    this.#in(this.#durations.drainMs(node), 'drained', node);
    return true;
  }

  #in(ms: number, kind: Happening, node: NodeId): void {
    this.#events.push({ atMs: this.#now + Math.round(ms), sequence: this.#sequence++, kind, node });
  }

  #count(counters: number[], group: number, by: number): void {
    counters[group] = (counters[group] as number) + by;
  }

  #stuck(): readonly Stuck[] {
    const stopped = new Set(this.#stops);
    return this.#groups.flatMap(({ nodes }) =>
      nodes
        .filter(node => !stopped.has(node))
        .map(node => {
          const drained = this.#turns.has(node);
          const { reasons } = drained ? this.#ledger.mayStop(node) : this.#ledger.mayDrain(node);
          return { node, reason: reasons[0] ?? '' };
        }),
    );
  }
}
