// Wraps: content keys for one license each, made when they are first asked for. Publishing never touches them, so it
// costs the same for one license and for a million.
import { sql } from 'kysely';
import { covers, isLocked, type Wrap, wrapContentKey, wrapSchema } from '../../signing/index.ts';
import type { Tenant } from '../context.ts';
import { ownedBy } from '../db/owned.ts';
import { serverError } from '../errors.ts';
import { contentKeyOf } from '../releases/content-keys.ts';
import { activeLicense, type LicenseRow } from './licenses.ts';
import { lockedError, rowTerm, sqlCovers } from './term.ts';

/**
 * The wrap of a published release for a license.
 *
 * @throws `not-found`, `license-refused` when the license is not active or not for this product and its channels,
 *   `license-expired` for one that is locked
 */
export async function wrapFor(tenant: Tenant, licenseId: string, manifest: string): Promise<Wrap> {
  const license = await activeLicense(tenant, licenseId);
  await requireEntitled(tenant, license, manifest);
  const known = await tenant.db
    .selectFrom('wraps')
    .select('body')
    .where('manifest_digest', '=', manifest)
    .where('license_id', '=', licenseId)
    .executeTakeFirst();
  if (known) return wrapSchema.parse(known.body);
  const wrap = await makeWrap(await contentKeyOf(tenant, manifest), license, manifest);
  await storeWraps(tenant, [wrap]);
  return wrap;
}

export interface WrapCount {
  /** Active licenses that include the release. */
  readonly entitled: number;
  /** Of which so many have their wrap already. */
  readonly wrapped: number;
}

/** How far a batch is. @throws `not-found` */
export async function countWraps(tenant: Tenant, manifest: string): Promise<WrapCount> {
  await contentKeyOf(tenant, manifest);
  const count = async (query: ReturnType<typeof entitledLicenses>) => {
    const { countAll } = tenant.db.fn;
    return Number((await query.select(countAll<string>().as('count')).executeTakeFirstOrThrow()).count);
  };
  const entitled = await count(entitledLicenses(tenant, manifest));
  return { entitled, wrapped: entitled - (await count(withoutWrap(tenant, manifest))) };
}

/**
 * Makes the wraps of a release for every license that lacks one, ahead of being asked: for an export to many sites, or before
 * a day of many updates. A job; it may be interrupted and run again at any time.
 */
export async function wrapForAll(tenant: Tenant, manifest: string): Promise<void> {
  const contentKey = await contentKeyOf(tenant, manifest);
  for (;;) {
    const licenses = await withoutWrap(tenant, manifest)
      .select(['licenses.id', 'licenses.entitlement_public_key'])
      .limit(BATCH)
      .execute();
    if (licenses.length === 0) return;
    const wraps: Wrap[] = [];
    for (const license of licenses) wraps.push(await makeWrap(contentKey, license, manifest));
    await storeWraps(tenant, wraps);
  }
}

/** Wraps made between two writes; each takes about half a millisecond. */
const BATCH = 500;

/** Active licenses for which the release was published in one of their channels, while they were valid. */
function entitledLicenses(tenant: Tenant, manifest: string) {
  return tenant.db
    .selectFrom('licenses')
    .where(ownedBy(tenant, 'licenses'))
    .where('licenses.status', '=', 'active')
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom('releases')
          .select('releases.id')
          .where('releases.manifest_digest', '=', manifest)
          .where('releases.state', '=', 'published')
          .whereRef('releases.organization', '=', 'licenses.organization')
          .whereRef('releases.product', '=', 'licenses.product')
          .where(sql<boolean>`releases.channel = any(licenses.channels)`)
          .where(sqlCovers(tenant.now())),
      ),
    );
}

function withoutWrap(tenant: Tenant, manifest: string) {
  return entitledLicenses(tenant, manifest).where(({ not, exists, selectFrom }) =>
    not(
      exists(
        selectFrom('wraps')
          .select('wraps.license_id')
          .whereRef('wraps.license_id', '=', 'licenses.id')
          .where('wraps.manifest_digest', '=', manifest),
      ),
    ),
  );
}

function makeWrap(
  contentKey: Buffer,
  license: { readonly id: string; readonly entitlement_public_key: string },
  manifest: string,
): Promise<Wrap> {
  return wrapContentKey(contentKey, license.entitlement_public_key, { license: license.id, release: manifest });
}

async function storeWraps({ db }: Tenant, wraps: readonly Wrap[]): Promise<void> {
  await db
    .insertInto('wraps')
    .values(
      wraps.map(wrap => ({ manifest_digest: wrap.release, license_id: wrap.license, body: JSON.stringify(wrap) })),
    )
    .onConflict(conflict => conflict.doNothing())
    .execute();
}

/** What was published while the license was valid stays open to it, unless it is locked: it is needed for recovery. */
async function requireEntitled(tenant: Tenant, license: LicenseRow, manifest: string): Promise<void> {
  const releases = await tenant.db
    .selectFrom('releases')
    .select(['product', 'channel', 'published_at'])
    .where(ownedBy(tenant, 'releases'))
    .where('manifest_digest', '=', manifest)
    .where('state', '=', 'published')
    .execute();
  if (releases.length === 0) throw serverError('not-found', `No published release has the manifest ${manifest}.`);
  const included = releases.filter(
    ({ product, channel }) => product === license.product && license.channels.includes(channel),
  );
  const term = rowTerm(license);
  const nowMs = tenant.now().getTime();
  if (included.some(({ published_at: at }) => at !== null && covers(term, at.getTime(), nowMs))) return;
  if (included.length > 0) {
    if (isLocked(term, nowMs)) throw lockedError(license);
    throw serverError('license-refused', `License ${license.id} expired before this release was published.`);
  }
  throw serverError('license-refused', `License ${license.id} does not include this release.`);
}
