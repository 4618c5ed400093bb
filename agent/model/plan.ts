// A plan: which nodes go when, and why that is safe. Data, content-addressed: what was shown is what is carried out.
import type { NodeId } from './inventory.ts';
import type { RolloutPolicy } from './policy.ts';

/** What the cluster is brought to. */
export interface TargetRelease {
  readonly version: string;
  /** Digest of the sealed manifest: names the release exactly. */
  readonly manifest: string;
  /** Digest of the image that every node has to report; absent for a release that nodes do not boot. */
  readonly image?: string;
}

/** Work on the cluster as a whole, by one driver: before any node goes, or after all are back. */
export interface PlannedTask {
  readonly driver: string;
  /** Known to the driver, as `expand the schema of nova`. */
  readonly name: string;
  readonly phase: 'before' | 'after';
  /** Nothing leads back behind it. */
  readonly irreversible: boolean;
  readonly reason: string;
}

/** Nodes that are planned as one: each of them is proven to be safe together with all the others. */
export interface Wave {
  /** In the order of their turns. */
  readonly nodes: readonly NodeId[];
  /** The rack they stand in; nodes of several racks where the storage keeps hosts apart and not racks. */
  readonly rack?: string;
  /** Most of them that are down at once. */
  readonly width: number;
  /** It starts only when everything before it came back well. */
  readonly isGated: boolean;
  /** Why these, why now: a sentence for the operator. */
  readonly reason: string;
  /** Why taking them out together is safe, a sentence a driver. */
  readonly safety: readonly string[];
  readonly startMs: number;
  readonly endMs: number;
}

/** One node's turn, as it is expected; milliseconds since the start. */
export interface Turn {
  readonly node: NodeId;
  /** What depends on it begins to leave. */
  readonly drainMs: number;
  /** It goes down. */
  readonly stopMs: number;
  /** It is back, and takes load again. */
  readonly backMs: number;
  /** What it holds is whole again. */
  readonly wholeMs: number;
}

/** A node that stays as it is, and why. */
export interface LeftOut {
  readonly node: NodeId;
  readonly reason: string;
}

export interface Plan {
  readonly format: 2;
  readonly target: TargetRelease;
  readonly policy: RolloutPolicy;
  /** What the storage keeps apart: only nodes of one such domain are down at once. */
  readonly failureDomain: 'rack' | 'host';
  readonly tasks: readonly PlannedTask[];
  readonly waves: readonly Wave[];
  /** In the order of their stops. */
  readonly turns: readonly Turn[];
  readonly leftOut: readonly LeftOut[];
  readonly etaMs: number;
  /** It takes between these two, nine times of ten. */
  readonly bandMs: readonly [least: number, most: number];
  /** No order of the same steps can be faster than this. */
  readonly lowerBoundMs: number;
  /** What keeps it from being faster. */
  readonly binding: string;
  /** What would make it faster, and by how much. */
  readonly advice: readonly string[];
  /** What has to change before it can start; empty when it can. */
  readonly waitsFor: readonly string[];
}

/** Yes, or why not now. `reason` names what it waits for. */
export type Verdict = { readonly ok: true; readonly reason: string } | { readonly ok: false; readonly reason: string };
