// Until when a license counts, and for which releases: one pure rule, which the service and the site both go by. It is about what
// is brought in; what runs is not its business.

/** What happens when a license ends. Absent: what was published while it was valid stays open to it. */
export type Expiry =
  /** What is published so many days after the end counts as published before it. */
  | { readonly strategy: 'grace'; readonly days: number }
  /** Nothing more is brought in, not even what was open before. */
  | { readonly strategy: 'lock' };

/** Of a license; times in milliseconds. */
export interface Term {
  /** Undefined for a perpetual license. */
  readonly expiresMs: number | undefined;
  readonly expiry: Expiry | undefined;
}

const DAY_MS = 24 * 3600_000;

/** A release that is published from then on is not covered; undefined for never. */
export function coveredUntilMs({ expiresMs, expiry }: Term): number | undefined {
  if (expiresMs === undefined || expiry?.strategy !== 'grace') return expiresMs;
  return expiresMs + expiry.days * DAY_MS;
}

/** True when nothing at all is brought in under the license any more. */
export function isLocked({ expiresMs, expiry }: Term, nowMs: number): boolean {
  return expiry?.strategy === 'lock' && expiresMs !== undefined && nowMs >= expiresMs;
}

/** Whether a release may be brought in now. */
export function covers(term: Term, publishedMs: number, nowMs: number): boolean {
  const untilMs = coveredUntilMs(term);
  return !isLocked(term, nowMs) && (untilMs === undefined || publishedMs < untilMs);
}
