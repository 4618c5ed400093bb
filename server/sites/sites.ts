// Sites: the clusters that use a license. They register once; what they report is kept by `record.ts` and found by `search.ts`.
import { type ActivationRequest, activationRequestSchema } from '../../bundles/index.ts';
import { counted } from '../../signing/index.ts';
import { type Actor, audit } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import { ofOwnLicense, ownedBy } from '../db/owned.ts';
import { serverError } from '../errors.ts';
import { licenseDocument } from '../licenses/licenses.ts';
import { emit } from '../webhooks/emit.ts';
import { searchText } from './search.ts';

/**
 * Binds a site to the license it connected with and returns the license document. Repeating it is harmless.
 *
 * @throws `site-limit`, `license-refused` for a site id that belongs to another license or key
 */
export async function activateSite(tenant: Tenant, licenseId: string, body: ActivationRequest): Promise<string> {
  const request = activationRequestSchema.parse(body);
  return tenant.db.transaction().execute(async db => {
    const isNew = await bindSite(db, tenant, licenseId, request);
    const document = await licenseDocument({ ...tenant, db }, licenseId);
    if (isNew) await auditActivation(db, tenant, licenseId, request.site);
    return document;
  });
}

/**
 * Gives a site a seat of its license, unless it has it. Inside the caller's transaction, which ends with {@link auditActivation} when the
 * site is new.
 *
 * @returns whether it is new
 * @throws `site-limit`, `license-refused`
 */
export async function bindSite(
  db: Database,
  tenant: Tenant,
  licenseId: string,
  { site, name, publicKey }: ActivationRequest,
): Promise<boolean> {
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
  const known = await db.selectFrom('sites').selectAll().where('id', '=', site).executeTakeFirst();
  if (known) {
    if (known.license_id === licenseId && known.public_key === publicKey) return false;
    throw serverError('license-refused', `Site ${site} belongs to another license or key.`);
  }
  await requireSeat(db, licenseId, license.site_limit);
  const now = tenant.now();
  const row = { organization: tenant.organization, id: site, license_id: licenseId, name, public_key: publicKey };
  const found = { search: searchText(site, name), activated_at: now, last_seen_at: now };
  await db
    .insertInto('sites')
    .values({ ...row, ...found, reported_at: null })
    .execute();
  await emit(db, tenant, { type: 'site.activated', data: { site, name, license: licenseId } });
  return true;
}

/** The last thing in its transaction. */
export async function auditActivation(db: Database, tenant: Tenant, license: string, site: string): Promise<void> {
  await audit(db, tenant, `license:${license}`, 'site.activate', site);
}

async function requireSeat(db: Database, license: string, limit: number): Promise<void> {
  const { countAll } = db.fn;
  const taken = db.selectFrom('sites').select(countAll<string>().as('count')).where('license_id', '=', license);
  const { count } = await taken.executeTakeFirstOrThrow();
  if (Number(count) < limit) return;
  throw serverError('site-limit', `License ${license} allows ${counted(limit, 'site')}, all of them taken.`);
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
