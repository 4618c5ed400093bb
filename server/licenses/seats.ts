// Seats of floating licenses: a site leases as many of the pool as it has nodes, and loses them when it does not ask again. The
// license's row is locked meanwhile, so that two sites that ask at once count each other.
import { sql } from 'kysely';
import type { SeatLease, SeatRequest } from '../../bundles/index.ts';
import { audit } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import { serverError } from '../errors.ts';
import { type LicenseRow, lockedLicense } from './licenses.ts';
import { grantedSeats } from './limits.ts';
import { tellOverage } from './overage.ts';

/** A day: a site asks every minute or so, and one whose line is down keeps its seats meanwhile. */
const LEASE_MS = 24 * 3600_000;

/**
 * Leases seats to a site, in place of those that it has; none are given back.
 *
 * @throws `license-refused` for a license that is not active or not floating, and for a site that is not its own
 */
export async function leaseSeats(tenant: Tenant, licenseId: string, { site, wanted }: SeatRequest): Promise<SeatLease> {
  const now = tenant.now();
  const until = new Date(now.getTime() + LEASE_MS);
  return tenant.db.transaction().execute(async db => {
    const license = await lockedLicense(db, tenant, licenseId);
    requireFloating(license);
    await requireOwnSite(db, licenseId, site);
    const { others, own } = await leased(db, licenseId, site, now);
    const granted = grantedSeats(license.overage, license.node_limit, others, wanted);
    await db.deleteFrom('seats').where('license_id', '=', licenseId).where('site_id', '=', site).execute();
    if (granted > 0) {
      await db
        .insertInto('seats')
        .values({ organization: tenant.organization, license_id: licenseId, site_id: site, seats: granted, until })
        .execute();
    }
    const told = await tellOverage(db, tenant, license, 'seats', [others + own, others + granted]);
    // A lease that is only kept is no change that somebody will ask about.
    if (granted !== own || told) {
      await audit(db, tenant, `license:${licenseId}`, 'license.seats', licenseId, { site, wanted, granted });
    }
    return { granted, until: until.toISOString() };
  });
}

function requireFloating({ id, status, floating }: LicenseRow): void {
  if (status !== 'active') throw serverError('license-refused', `License ${id} is ${status}.`);
  if (!floating) throw serverError('license-refused', `License ${id} is not floating: its sites need no seats.`);
}

async function requireOwnSite(db: Database, license: string, site: string): Promise<void> {
  const row = db.selectFrom('sites').select('id').where('id', '=', site).where('license_id', '=', license);
  if (await row.executeTakeFirst()) return;
  throw serverError('license-refused', `The site ${site} is not activated with license ${license}.`);
}

/** Seats that are leased now: to this site, and to the others of the license. */
async function leased(db: Database, license: string, site: string, now: Date) {
  const { rows } = await sql<{ own: number; others: number }>`
    select coalesce(sum(seats) filter (where site_id = ${site}), 0)::int as own,
           coalesce(sum(seats) filter (where site_id <> ${site}), 0)::int as others
    from seats where license_id = ${license} and until > ${now}`.execute(db);
  return rows[0] as { own: number; others: number };
}
