// How many nodes of a license are in use, as its sites report them: held against what it covers.
import { audit } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import { lockedLicense } from '../licenses/licenses.ts';
import { tellOverage } from '../licenses/overage.ts';

/**
 * Counts again, after a site of the license has reported another number than before.
 *
 * @param change by how many nodes it was another
 * @returns what is to be written to the audit log at the end of the caller's transaction; undefined for nothing
 */
export async function countNodes(
  db: Database,
  tenant: Tenant,
  licenseId: string,
  change: number,
): Promise<(() => Promise<void>) | undefined> {
  // Most reports say the same number as the one before; only one that does not has to wait for others of its license.
  if (change === 0) return undefined;
  const license = await lockedLicense(db, tenant, licenseId);
  const used = await nodesOf(db, licenseId);
  if (!(await tellOverage(db, tenant, license, 'nodes', [used - change, used]))) return undefined;
  const details = { nodes: used, limit: license.node_limit };
  return async () => {
    await audit(db, tenant, `license:${licenseId}`, 'license.overage', licenseId, details);
  };
}

async function nodesOf(db: Database, license: string): Promise<number> {
  const counting = db.selectFrom('sites').select(db.fn.sum<string>('live_nodes').as('nodes'));
  return Number((await counting.where('license_id', '=', license).executeTakeFirstOrThrow()).nodes ?? 0);
}
