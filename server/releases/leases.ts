// Leases on sealed objects: who is about to rely on one says so first, and looks afterwards. The collector waits for that.
import { sql } from 'kysely';
import type { Tenant } from '../context.ts';

/** A publication that takes longer than this between two questions has to ask again. */
const LEASE_MS = 24 * 3600_000;
/** With the organization's hash: leases take it shared, the sweep takes it alone. */
export const GARBAGE_LOCK = 0x4742_4147;

/**
 * Takes leases on objects; returns those that are not stored.
 *
 * @param holder the publication that relies on them
 */
export async function leaseObjects(
  tenant: Tenant,
  holder: string,
  digests: readonly string[],
): Promise<readonly string[]> {
  const { organization } = tenant;
  const until = new Date(tenant.now().getTime() + LEASE_MS);
  await tenant.db.transaction().execute(async db => {
    await sql`select pg_advisory_xact_lock_shared(${GARBAGE_LOCK}, hashtext(${organization}))`.execute(db);
    await db
      .insertInto('leases')
      .values([...new Set(digests)].sort().map(digest => ({ organization, digest, holder, until })))
      .onConflict(conflict => conflict.columns(['organization', 'digest', 'holder']).doUpdateSet({ until }))
      .execute();
  });
  const missing: string[] = [];
  for (const digest of digests) if ((await tenant.blobs.size(digest)) === undefined) missing.push(digest);
  return missing;
}
