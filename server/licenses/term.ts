// When a license ends and what that means, out of its row: for the rule that service and site share (`signing/license-term.ts`), and
// once more in SQL, where it is asked of many licenses at once.
import { type RawBuilder, sql } from 'kysely';
import type { Term } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import { expiryOf } from './document.ts';
import type { LicenseRow } from './licenses.ts';

export function rowTerm(row: Pick<LicenseRow, 'expires_at' | 'expiry' | 'grace_days'>): Term {
  return { expiresMs: row.expires_at?.getTime(), expiry: expiryOf(row) };
}

/** `covers`, of a row of `licenses` and one of `releases`. Days are of 24 hours, whatever clocks do. */
export function sqlCovers(now: Date): RawBuilder<boolean> {
  return sql<boolean>`(licenses.expires_at is null or (
    releases.published_at < licenses.expires_at + make_interval(hours => 24 * licenses.grace_days)
    and (licenses.expiry <> 'lock' or licenses.expires_at > ${now})))`;
}

export function lockedError({ id, expires_at: at }: Pick<LicenseRow, 'id' | 'expires_at'>): Error {
  return serverError(
    'license-expired',
    `License ${id} expired at ${at?.toISOString()}, and nothing is given out by it any more.`,
  );
}
