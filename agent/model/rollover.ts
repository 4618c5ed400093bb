// The record of a rollover, as it is kept in the coordination store. Data only; written by the leader alone.
import type { NodeState } from '../lifecycle/node.ts';
import type { RolloverStatus } from '../lifecycle/rollover.ts';
import type { NodeId } from './inventory.ts';

/** Key `rollover`. */
export interface Rollover {
  readonly plan: string;
  readonly status: RolloverStatus;
  /** Why it is blocked, or what it is doing. */
  readonly reason: string;
  readonly startedAt: number;
  readonly endedAt?: number;
}

/** Key `nodes/<id>`. */
export interface NodeRecord {
  readonly state: NodeState;
  readonly sinceMs: number;
  /** Boot id before our reboot: another one proves that the node came back. */
  readonly bootIdBefore?: string;
  /** It failed, and is tried again: it takes no load before it has come back well. */
  readonly isRetried?: true;
  /** Manifest digest of the release that the node is to boot. */
  readonly release?: string;
}

/** Something we switched on a cluster and have to switch back: who, where, for which node. Key `effects/<id>`. */
export interface OwnedEffect {
  readonly driver: string;
  readonly node: NodeId;
  readonly what: string;
  readonly epoch: number;
}

/** A node that is taken out of service, or about to be. Key `reservations/<node>`. */
export interface Reservation {
  readonly node: NodeId;
  readonly plan: string;
  readonly epoch: number;
}

/** Key `journal/<sequence>`: what happened, in order. */
export interface JournalEntry {
  readonly at: number;
  readonly epoch: number;
  readonly node?: NodeId;
  readonly from?: string;
  readonly to?: string;
  readonly text: string;
}
