// What may be out together, asked thousands of times: a driver's safety as a ledger that is filled and emptied node by node,
// over one inventory. The planner goes through a whole rollover with it, the leader through one round.
import type { Inventory, NodeId } from '../model/inventory.ts';
import type { Verdict } from '../model/plan.ts';

/** Nodes that a rollover has taken. */
export interface Out {
  /** What depends on them leaves, or has left: nothing is placed there. */
  readonly draining: ReadonlySet<NodeId>;
  /** They are down, or are about to be: they serve nothing. */
  readonly stopped: ReadonlySet<NodeId>;
}

/**
 * In its life a node is drained, stopped, started and whole again. `may…` asks, and changes nothing; the others are told what
 * has been decided, and object to nothing.
 */
export interface Tracker {
  mayDrain(node: NodeId): Verdict;
  drain(node: NodeId): void;
  mayStop(node: NodeId): Verdict;
  stop(node: NodeId): void;
  /** It runs again and takes load; what it holds may still recover. */
  start(node: NodeId): void;
  /** What it holds is whole again. */
  recover(node: NodeId): void;
}

/** The tracker of a driver that only has a rule over sets. Every question asks the whole rule. */
export function trackerOf(safety: (inventory: Inventory, out: Out) => Verdict): (inventory: Inventory) => Tracker {
  return inventory => {
    const draining = new Set<NodeId>();
    const stopped = new Set<NodeId>();
    return {
      mayDrain: node => safety(inventory, { draining: new Set([...draining, node]), stopped }),
      drain: node => void draining.add(node),
      mayStop: node => safety(inventory, { draining, stopped: new Set([...stopped, node]) }),
      stop: node => void stopped.add(node),
      start: node => void draining.delete(node),
      recover: node => void stopped.delete(node),
    };
  };
}

/** The rule over sets of a driver that has a tracker: nodes are taken one after the other, in the order of their names. */
export function safetyOf(
  tracker: (inventory: Inventory) => Tracker,
  otherwise: (inventory: Inventory) => string,
): (inventory: Inventory, out: Out) => Verdict {
  return (inventory, { draining, stopped }) => {
    const tracked = tracker(inventory);
    for (const node of [...draining].sort()) {
      const verdict = tracked.mayDrain(node);
      if (!verdict.ok) return verdict;
      tracked.drain(node);
    }
    for (const node of [...stopped].sort()) {
      const verdict = tracked.mayStop(node);
      if (!verdict.ok) return verdict;
      tracked.stop(node);
    }
    return { ok: true, reason: otherwise(inventory) };
  };
}
