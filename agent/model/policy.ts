// How a customer wants a cluster to be rolled. Data only.

/** Everything is optional on the outside; {@link DEFAULT_POLICY} is what stands where nothing is said. */
export interface RolloutPolicy {
  /** Nodes that come back well before others follow. */
  readonly canary: number;
  /** By how much the number of nodes that may be down at once grows after each success of all. 1: it does not grow. */
  readonly growth: number;
  /** Most nodes that may be down at once. */
  readonly maxDown: number;
  /** Nodes that may fail for good before the rollover halts. */
  readonly failureBudget: number;
  /** Part of the nodes left, in percent, whose turn a new plan may change without the operator's consent. */
  readonly consentAbovePercent: number;
}

export const DEFAULT_POLICY: RolloutPolicy = {
  canary: 1,
  growth: 2,
  maxDown: 1_000_000,
  failureBudget: 2,
  consentAbovePercent: 25,
};
