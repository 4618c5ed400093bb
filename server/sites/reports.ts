// What sites report of themselves: the newest is kept, and what it says of nodes is held against the license.
import { liveNodes, type SiteReport } from '../../bundles/index.ts';
import { audit } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import { serverError } from '../errors.ts';
import { lockedLicense } from '../licenses/licenses.ts';
import { tellOverage } from '../licenses/overage.ts';

/** Keeps the newest report of a site. @throws `not-found` for a site of another license */
export async function recordReport(tenant: Tenant, licenseId: string, report: SiteReport): Promise<void> {
  const nodes = liveNodes(report);
  const known = await tenant.db
    .selectFrom('sites')
    .select('live_nodes')
    .where('id', '=', report.site)
    .where('license_id', '=', licenseId)
    .where('organization', '=', tenant.organization)
    .executeTakeFirst();
  if (!known) throw serverError('not-found', `License ${licenseId} has no site ${report.site}.`);
  // Most reports say the same number as the one before; only one that does not has to wait for others of its license.
  if (known.live_nodes === nodes) return keep(tenant.db, tenant, report, nodes);
  await tenant.db.transaction().execute(async db => {
    const license = await lockedLicense(db, tenant, licenseId);
    const before = await nodesOf(db, licenseId);
    await keep(db, tenant, report, nodes);
    const used = await nodesOf(db, licenseId);
    if (await tellOverage(db, tenant, license, 'nodes', [before, used])) {
      const details = { nodes: used, limit: license.node_limit };
      await audit(db, tenant, `license:${licenseId}`, 'license.overage', licenseId, details);
    }
  });
}

async function keep(db: Database, tenant: Tenant, report: SiteReport, nodes: number): Promise<void> {
  await db
    .updateTable('sites')
    .set({ report: JSON.stringify(report), live_nodes: nodes, last_seen_at: tenant.now() })
    .where('id', '=', report.site)
    .where('organization', '=', tenant.organization)
    .execute();
}

async function nodesOf(db: Database, license: string): Promise<number> {
  const counting = db.selectFrom('sites').select(db.fn.sum<string>('live_nodes').as('nodes'));
  return Number((await counting.where('license_id', '=', license).executeTakeFirstOrThrow()).nodes ?? 0);
}
