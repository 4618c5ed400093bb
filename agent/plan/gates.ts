// Whose turn it is: the rules between waves, the same for the planner, which goes through them in thought, and the leader.

/** The part of a wave that its turn depends on. */
export interface Turnstile {
  readonly rack?: string | undefined;
  readonly isGated: boolean;
}

/** How far a rollover is. */
export interface Progress {
  /** First wave with a node that is not back; the number of waves when all are. */
  readonly firstAway: number;
  /** First wave with a node that is not whole. */
  readonly firstUnwhole: number;
}

/** Nodes of a wave go down when a gate lets them, and when no other rack has one that is not whole. */
export function mayGoDown(waves: readonly Turnstile[], index: number, { firstAway, firstUnwhole }: Progress): boolean {
  const wave = waves[index] as Turnstile;
  if (index > firstAway && (wave.isGated || waves[firstAway]?.isGated)) return false;
  return wave.rack === undefined || waves[firstUnwhole]?.rack === wave.rack;
}

/**
 * Nodes are emptied one wave ahead, so that they go down without a wait. Where the storage keeps hosts apart, and past the
 * last gate, nodes of any wave are: whoever fits.
 */
export function mayBeEmptied(waves: readonly Turnstile[], index: number, { firstAway }: Progress): boolean {
  if (index <= firstAway + 1) return true;
  const next = waves[firstAway + 1] as Turnstile;
  return next.rack === undefined && !next.isGated;
}
