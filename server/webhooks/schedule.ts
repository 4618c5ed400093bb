// When a delivery is tried again, and when an endpoint is given up. Pure.

/** The first wait; each later one is three times as long. */
const FIRST_WAIT_MS = 10_000;
const FACTOR = 3;
const LONGEST_WAIT_MS = 6 * 3600_000;
/** Waits of 10 s, 30 s, 90 s, … and four of six hours: about 27 hours from the first attempt to the last. */
export const MOST_ATTEMPTS = 12;
/** Endpoints that fail together are not tried again together. */
const JITTER = 0.2;

/** Without a success for so long, and after more failures than one delivery has attempts, nobody is listening any more. */
const DISABLE_AFTER_MS = 5 * 24 * 3600_000;

/**
 * The time to wait after so many failed attempts; undefined when there is to be no other.
 *
 * @param random from 0 to 1
 */
export function retryAfterMs(attempts: number, random: number): number | undefined {
  if (attempts >= MOST_ATTEMPTS) return undefined;
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * FACTOR ** (attempts - 1));
  return Math.round(wait * (1 - JITTER + 2 * JITTER * random));
}

/** Whether an endpoint is to be disabled, after failures without a success in between. */
export function isDead(failures: number, failingForMs: number): boolean {
  return failures > MOST_ATTEMPTS && failingForMs >= DISABLE_AFTER_MS;
}
