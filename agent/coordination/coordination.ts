// Where the leader keeps what must survive it, and how there is at most one leader. One interface for the embedded store
// of a single agent and for an ensemble that several agents share.

/** A change of one key. Values are JSON. */
export type Change =
  | { readonly op: 'put'; readonly key: string; readonly value: unknown }
  | { readonly op: 'delete'; readonly key: string };

/** Being the leader, until `lost` is aborted. Only the holder of the newest epoch can change anything. */
export interface Leadership {
  /** Grows with every change of leadership; every order to the cluster carries it. */
  readonly epoch: number;
  readonly lost: AbortSignal;

  /**
   * Makes all changes, or none; durable when it returns.
   *
   * @throws `stale-epoch` when another leader has been elected, `disk-write`
   */
  commit(changes: readonly Change[]): Promise<void>;
}

export interface Coordination {
  /** Waits for its turn and becomes the leader. */
  campaign(): Promise<Leadership>;

  /** All keys that start with `prefix`, with their values, as of the last commit. */
  read(prefix: string): Promise<ReadonlyMap<string, unknown>>;

  close(): Promise<void>;
}
