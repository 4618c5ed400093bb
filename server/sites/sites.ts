// Sites: the clusters that use a license. They register once and report now and then.
import type { Selectable } from 'kysely';
import { type ActivationRequest, activationRequestSchema, type SiteReport } from '../../bundles/index.ts';
import { counted } from '../../signing/index.ts';
import { type Actor, audit } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import { ofOwnLicense, ownedBy } from '../db/owned.ts';
import type { SiteTable } from '../db/schema.ts';
import { serverError } from '../errors.ts';
import { isBefore, type Page, type PageRequest, page, readCursor } from '../http/paging.ts';
import { licenseDocument } from '../licenses/licenses.ts';
import { judgeReport } from '../rollouts/budget.ts';
import { emit } from '../webhooks/emit.ts';

export interface SiteView {
  readonly id: string;
  readonly license: string;
  readonly name: string;
  readonly activatedAt: string;
  readonly lastSeenAt: string;
  readonly report: unknown;
}

/**
 * Binds a site to the license it connected with and returns the license document. Repeating it is harmless.
 *
 * @throws `site-limit`, `license-refused` for a site id that belongs to another license or key
 */
export async function activateSite(tenant: Tenant, licenseId: string, body: ActivationRequest): Promise<string> {
  const request = activationRequestSchema.parse(body);
  const now = tenant.now();
  return tenant.db.transaction().execute(async db => {
    // The row lock makes two sites that activate at once count each other.
    const license = await db
      .selectFrom('licenses')
      .select('site_limit')
      .where(ownedBy(tenant, 'licenses'))
      .where('id', '=', licenseId)
      .where('status', '=', 'active')
      .forUpdate()
      .executeTakeFirst();
    if (!license) throw serverError('license-refused', `License ${licenseId} is not active.`);
    const known = await db.selectFrom('sites').selectAll().where('id', '=', request.site).executeTakeFirst();
    if (known) {
      if (known.license_id === licenseId && known.public_key === request.publicKey) {
        return licenseDocument({ ...tenant, db }, licenseId);
      }
      throw serverError('license-refused', `Site ${request.site} belongs to another license or key.`);
    }
    const { countAll } = db.fn;
    const { count } = await db
      .selectFrom('sites')
      .select(countAll<string>().as('count'))
      .where('license_id', '=', licenseId)
      .executeTakeFirstOrThrow();
    if (Number(count) >= license.site_limit) {
      throw serverError(
        'site-limit',
        `License ${licenseId} allows ${counted(license.site_limit, 'site')}, all of them taken.`,
      );
    }
    await db
      .insertInto('sites')
      .values({
        organization: tenant.organization,
        id: request.site,
        license_id: licenseId,
        name: request.name,
        public_key: request.publicKey,
        activated_at: now,
        last_seen_at: now,
        report: null,
      })
      .execute();
    const { site, name } = request;
    await emit(db, tenant, { type: 'site.activated', data: { site, name, license: licenseId } });
    await audit(db, tenant, `license:${licenseId}`, 'site.activate', request.site);
    return licenseDocument({ ...tenant, db }, licenseId);
  });
}

/** Keeps the newest report of a site. @throws `not-found` for a site of another license */
export async function recordReport(tenant: Tenant, licenseId: string, report: SiteReport): Promise<void> {
  await tenant.db.transaction().execute(async db => {
    const { numUpdatedRows } = await db
      .updateTable('sites')
      .set({ report: JSON.stringify(report), last_seen_at: tenant.now() })
      .where('id', '=', report.site)
      .where('license_id', '=', licenseId)
      .where('organization', '=', tenant.organization)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows === 0n) throw serverError('not-found', `License ${licenseId} has no site ${report.site}.`);
    await judgeReport({ ...tenant, db }, licenseId, report);
  });
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
    report: row.report,
  };
}
