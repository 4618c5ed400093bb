// Tells the vendor that more of a license is in use than it covers, where its policy is to warn.
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import { emit } from '../webhooks/emit.ts';
import type { LicenseRow } from './licenses.ts';
import { type Limited, passesLimit } from './limits.ts';

/**
 * Writes the event down when a change of use passes the limit. Call it inside the transaction of the change, with the license locked.
 *
 * @returns whether it did
 */
export async function tellOverage(
  db: Database,
  tenant: Tenant,
  license: LicenseRow,
  what: Limited | 'seats',
  [before, used]: readonly [number, number],
): Promise<boolean> {
  const limit = what === 'sites' ? license.site_limit : license.node_limit;
  if (!passesLimit(license.overage, before, used, limit)) return false;
  await emit(db, tenant, { type: 'license.overage', data: { license: license.id, what, used, limit } });
  return true;
}
