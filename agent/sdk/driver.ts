// What a driver for an infrastructure service has to be. The built-in drivers use nothing else.
// Every method is idempotent: the leader may die between any two calls, and the next one calls again.
import type { Inventory, NodeId } from '../model/inventory.ts';
import type { TargetRelease, Verdict } from '../model/plan.ts';
import type { Out, Tracker } from './tracker.ts';

/** Who orders. What carries out an order refuses one with an older epoch than it has seen. */
export interface Order {
  readonly epoch: number;
}

/** The part of the inventory that a driver observes. */
export type Observation = Partial<Inventory>;

/** Something a driver switches on the cluster while a node is out; `undrain` switches it back. */
export interface Effect {
  /** Said to people, as in `noout on the OSDs of a1`. */
  readonly what: string;
}

/** Work on the cluster as a whole: before any node goes, or after all are back. */
export interface Task {
  readonly name: string;
  readonly phase: 'before' | 'after';
  readonly isDone: boolean;
  /** Nothing leads back behind it. */
  readonly irreversible: boolean;
  readonly reason: string;
}

export interface Driver {
  readonly name: string;

  /** Looks at the cluster. Throws when it cannot: stale knowledge is worse than none. */
  inspect(): Promise<Observation>;

  /** Pure: may all of `out` be out of service at once? Otherwise: why not now. */
  safety(inventory: Inventory, out: Out): Verdict;

  /** The same rule, for many questions about one inventory. Without it, `safety` is asked each time. */
  tracker?(inventory: Inventory): Tracker;

  /** Pure: what has to be done on the cluster as a whole for this release, in order; what is done already as well. */
  tasks?(inventory: Inventory, release: TargetRelease): readonly Task[];

  /** Does one task, or goes on with it. Called again until {@link Task.isDone}. */
  perform?(task: string, release: TargetRelease, order: Order): Promise<void>;

  /** The effects that draining this node will make. They are recorded before `drain` is called. */
  effects(node: NodeId): readonly Effect[];

  /**
   * One step towards empty nodes: all that are being drained, so that what leaves them is placed together. Called again
   * until {@link drained} says yes for each. What is in `out` never receives anything.
   */
  drain(inventory: Inventory, nodes: readonly NodeId[], out: ReadonlySet<NodeId>, order: Order): Promise<void>;

  /** Pure: does nothing of this driver's depend on the node any more? */
  drained(inventory: Inventory, node: NodeId): Verdict;

  /**
   * Brings the node to a release, where this driver does that. Called again until its effect is seen. An order that arrives after
   * the node has booted is not to be obeyed: `bootId` is that of the boot which is to end.
   */
  apply(node: NodeId, release: TargetRelease, order: Order & { readonly bootId: string }): Promise<void>;

  /** Pure: is everything of this driver's healthy on the node, on this release? */
  verify(inventory: Inventory, node: NodeId, release: TargetRelease): Verdict;

  /** Takes back every effect of {@link effects}. Harmless when there is none. */
  undrain(node: NodeId, order: Order): Promise<void>;

  /** Pure: are all effects on the node taken back? */
  undrained(inventory: Inventory, node: NodeId): Verdict;
}

export const YES = (reason: string): Verdict => ({ ok: true, reason });
export const NOT_NOW = (reason: string): Verdict => ({ ok: false, reason });

/** The part of a driver whose service does not have to leave a node. */
export const DRAINS_NOTHING: Pick<Driver, 'effects' | 'drain' | 'drained' | 'undrain' | 'undrained'> = {
  effects: () => [],
  drain: async () => undefined,
  drained: () => YES('nothing to drain'),
  undrain: async () => undefined,
  undrained: () => YES('nothing to take back'),
};
