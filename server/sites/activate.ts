// Binds a site to a license, within its number of sites.
import { type ActivationRequest, activationRequestSchema } from '../../bundles/index.ts';
import { counted } from '../../signing/index.ts';
import { type Actor, audit } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import { serverError } from '../errors.ts';
import { currentDocument } from '../licenses/document.ts';
import { activeLicense, type LicenseRow, lockedLicense } from '../licenses/licenses.ts';
import { hasRoom } from '../licenses/limits.ts';
import { tellOverage } from '../licenses/overage.ts';
import { emit } from '../webhooks/emit.ts';
import { searchText } from './search.ts';

/**
 * Binds a site to the license it connected with and returns the license document. Repeating it is harmless.
 *
 * @param actor who does it: the site itself, by its license, unless said otherwise
 * @throws `not-found`, `site-limit`, `license-refused` for a license that is not active, or a site id that belongs to another
 *   license or key
 */
export async function activateSite(
  tenant: Tenant,
  licenseId: string,
  body: ActivationRequest,
  actor: Actor = `license:${licenseId}`,
): Promise<string> {
  const request = activationRequestSchema.parse(body);
  return tenant.db.transaction().execute(async db => {
    const binding = await bindSite(db, tenant, licenseId, request);
    const license = await activeLicense({ ...tenant, db }, licenseId);
    const document = await currentDocument({ ...tenant, db }, licenseId, license.document);
    if (binding) await auditActivation(db, tenant, actor, binding);
    return document;
  });
}

/** A site that has been bound just now. */
export interface Binding {
  readonly site: string;
  /** The license had no room for it, which its policy allows and warns of. */
  readonly isBeyond: boolean;
}

/**
 * Gives a site a place in its license, unless it has it. Inside the caller's transaction, which ends with {@link auditActivation} when
 * the site is new.
 *
 * @returns undefined for a site that has been bound before
 * @throws `not-found`, `site-limit`, `license-refused`
 */
export async function bindSite(
  db: Database,
  tenant: Tenant,
  licenseId: string,
  request: ActivationRequest,
): Promise<Binding | undefined> {
  // The row lock makes two sites that activate at once count each other.
  const license = await lockedLicense(db, tenant, licenseId);
  if (license.status !== 'active') throw serverError('license-refused', `License ${licenseId} is not active.`);
  return (await isKnown(db, licenseId, request)) ? undefined : addSite(db, tenant, license, request);
}

/** The last thing in its transaction. */
export async function auditActivation(
  db: Database,
  tenant: Tenant,
  actor: Actor,
  { site, isBeyond }: Binding,
): Promise<void> {
  await audit(db, tenant, actor, 'site.activate', site, isBeyond ? { beyondLimit: true } : {});
}

/** @throws `license-refused` for a site of another license or key */
async function isKnown(db: Database, licenseId: string, { site, publicKey }: ActivationRequest): Promise<boolean> {
  const known = await db.selectFrom('sites').selectAll().where('id', '=', site).executeTakeFirst();
  if (!known) return false;
  if (known.license_id === licenseId && known.public_key === publicKey) return true;
  throw serverError('license-refused', `Site ${site} belongs to another license or key.`);
}

async function addSite(
  db: Database,
  tenant: Tenant,
  license: LicenseRow,
  { site, name, publicKey }: ActivationRequest,
): Promise<Binding> {
  const { id, overage, site_limit: limit } = license;
  const used = await sitesOf(db, id);
  if (!hasRoom(overage, used, limit)) {
    throw serverError('site-limit', `License ${id} allows ${counted(limit, 'site')}, all of them taken.`);
  }
  const now = tenant.now();
  const isBeyond = overage === 'warn' && used >= limit;
  const row = { organization: tenant.organization, id: site, license_id: id, name, public_key: publicKey };
  const found = { search: searchText(site, name), activated_at: now, last_seen_at: now, reported_at: null };
  await db
    .insertInto('sites')
    .values({ ...row, ...found, beyond_limit: isBeyond })
    .execute();
  await emit(db, tenant, { type: 'site.activated', data: { site, name, license: id } });
  await tellOverage(db, tenant, license, 'sites', [used, used + 1]);
  return { site, isBeyond };
}

async function sitesOf(db: Database, license: string): Promise<number> {
  const { countAll } = db.fn;
  const counting = db.selectFrom('sites').select(countAll<string>().as('count')).where('license_id', '=', license);
  return Number((await counting.executeTakeFirstOrThrow()).count);
}
