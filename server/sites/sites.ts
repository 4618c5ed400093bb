// Sites: the clusters that use a license. They register once (`activate.ts`) and report now and then (`reports.ts`).
import type { Selectable } from 'kysely';
import { type Actor, audit } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import { ofOwnLicense } from '../db/owned.ts';
import type { SiteTable } from '../db/schema.ts';
import { serverError } from '../errors.ts';
import { isBefore, type Page, type PageRequest, page, readCursor } from '../http/paging.ts';
import { emit } from '../webhooks/emit.ts';

export interface SiteView {
  readonly id: string;
  readonly license: string;
  readonly name: string;
  readonly activatedAt: string;
  readonly lastSeenAt: string;
  /** Activated when the license had no room for it, which its policy allows and warns of. */
  readonly beyondLimit: boolean;
  readonly report: unknown;
}

/**
 * Forgets a site, for a cluster that is gone: its seat of the license is free again. Nothing reaches the cluster by this; one
 * that lives on can be activated anew.
 *
 * @throws `not-found`
 */
export async function removeSite(tenant: Tenant, id: string, actor: Actor): Promise<void> {
  await tenant.db.transaction().execute(async db => {
    const own = db.deleteFrom('sites').where('id', '=', id).where(ofOwnLicense(tenant, 'license_id'));
    const { numDeletedRows } = await own.executeTakeFirstOrThrow();
    if (numDeletedRows === 0n) throw serverError('not-found', `There is no site ${id}.`);
    await emit(db, tenant, { type: 'site.removed', data: { site: id } });
    await audit(db, tenant, actor, 'site.remove', id);
  });
}

/** Most recently seen first. */
export async function listSites(tenant: Tenant, { limit, cursor }: PageRequest): Promise<Page<SiteView>> {
  const after = readCursor(cursor);
  let query = tenant.db
    .selectFrom('sites')
    .selectAll()
    .where('organization', '=', tenant.organization)
    .orderBy('last_seen_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (tenant.products) query = query.where(ofOwnLicense(tenant, 'license_id'));
  if (after) query = query.where(isBefore('last_seen_at', after));
  return page(await query.execute(), limit, view, row => ({ at: row.last_seen_at.toISOString(), id: row.id }));
}

function view(row: Selectable<SiteTable>): SiteView {
  return {
    id: row.id,
    license: row.license_id,
    name: row.name,
    activatedAt: row.activated_at.toISOString(),
    lastSeenAt: row.last_seen_at.toISOString(),
    beyondLimit: row.beyond_limit,
    report: row.report,
  };
}
