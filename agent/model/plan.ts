// A plan: which nodes go when, and why that is safe. Data, content-addressed: what was shown is what is carried out.
import type { NodeId } from './inventory.ts';

/** What the cluster is brought to. */
export interface TargetRelease {
  readonly version: string;
  /** Digest of the sealed manifest: names the release exactly. */
  readonly manifest: string;
  /** Digest of the image that every node has to report; absent for a release that nodes do not boot. */
  readonly image?: string;
}

export interface Batch {
  readonly nodes: readonly NodeId[];
  readonly rack: string;
  /** Why these, why now: a sentence for the operator. */
  readonly reason: string;
  /** Why taking them out together is safe, a sentence a driver. */
  readonly safety: readonly string[];
  readonly etaMs: number;
}

export interface Plan {
  readonly format: 1;
  readonly target: TargetRelease;
  readonly batches: readonly Batch[];
  readonly etaMs: number;
  /** No order of the same steps can be faster than this. */
  readonly lowerBoundMs: number;
  /** What keeps it from being faster. */
  readonly binding: string;
  /** What has to change before it can start; empty when it can. */
  readonly waitsFor: readonly string[];
}

/** Yes, or why not now. `reason` names what it waits for. */
export type Verdict = { readonly ok: true; readonly reason: string } | { readonly ok: false; readonly reason: string };
