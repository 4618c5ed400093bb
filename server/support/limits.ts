// How much of what sites let their vendor look at is kept, and for how long.

export interface SupportLimits {
  /** Days after which a bundle is removed. */
  readonly days: number;
  /** Of all bundles of an organization, sealed. */
  readonly quotaBytes: number;
}

export const DEFAULT_SUPPORT_LIMITS: SupportLimits = { days: 30, quotaBytes: 10 * 1024 ** 3 };

/** Of one site, at a time: whoever has a site's key fills no more. */
export const MOST_BUNDLES_A_SITE = 10;
/** What has not come whole by then never will; it can be sent anew. */
export const UNFINISHED_MS = 24 * 3600_000;
