// The one ledger over placement groups, quorums, memory and whatever else drivers count: who may be out together. The planner
// goes through a whole rollover with it, the leader through each round. Pure.
import type { Inventory, NodeId } from '../model/inventory.ts';
import type { Driver, Tracker } from '../sdk/index.ts';
import { trackerOf } from '../sdk/index.ts';

/** The part of a driver that counts. */
export type Rule = Pick<Driver, 'name' | 'safety' | 'tracker'>;

/** Reasons of every driver that has something to say; or, when one objects, its objection alone. */
export interface LedgerVerdict {
  readonly ok: boolean;
  readonly reasons: readonly string[];
}

export class Ledger {
  readonly #trackers: readonly Tracker[];

  constructor(rules: readonly Rule[], inventory: Inventory) {
    this.#trackers = rules.map(({ safety, tracker = trackerOf(safety) }) => tracker(inventory));
  }

  mayDrain(node: NodeId): LedgerVerdict {
    return this.#all(tracker => tracker.mayDrain(node));
  }

  mayStop(node: NodeId): LedgerVerdict {
    return this.#all(tracker => tracker.mayStop(node));
  }

  drain(node: NodeId): void {
    for (const tracker of this.#trackers) tracker.drain(node);
  }

  stop(node: NodeId): void {
    for (const tracker of this.#trackers) tracker.stop(node);
  }

  start(node: NodeId): void {
    for (const tracker of this.#trackers) tracker.start(node);
  }

  recover(node: NodeId): void {
    for (const tracker of this.#trackers) tracker.recover(node);
  }

  #all(ask: (tracker: Tracker) => { readonly ok: boolean; readonly reason: string }): LedgerVerdict {
    const reasons: string[] = [];
    for (const tracker of this.#trackers) {
      const { ok, reason } = ask(tracker);
      if (!ok) return { ok, reasons: [reason] };
      if (reason !== '') reasons.push(reason);
    }
    return { ok: true, reasons };
  }
}
