// Wraps: content keys for one license each, made when they are first asked for. Publishing never touches them, so it
// costs the same for one license and for a million.
import { type Wrap, wrapContentKey, wrapSchema } from '../../signing/index.ts';
import type { Context } from '../context.ts';
import { serverError } from '../errors.ts';
import { contentKeyOf } from '../releases/releases.ts';
import { activeLicense } from './licenses.ts';

/**
 * The wrap of a published release for a license.
 *
 * @throws `not-found`, `license-refused` when the license is not active or not for this product and its channels
 */
export async function wrapFor(context: Context, licenseId: string, manifest: string): Promise<Wrap> {
  const license = await activeLicense(context, licenseId);
  if (!license) throw serverError('license-refused', `License ${licenseId} is not active.`);
  await requireEntitled(context, license, manifest);
  const known = await context.db
    .selectFrom('wraps')
    .select('body')
    .where('manifest_digest', '=', manifest)
    .where('license_id', '=', licenseId)
    .executeTakeFirst();
  if (known) return wrapSchema.parse(known.body);
  const contentKey = await contentKeyOf(context, manifest);
  const wrap = await wrapContentKey(contentKey, license.entitlement_public_key, {
    license: licenseId,
    release: manifest,
  });
  await context.db
    .insertInto('wraps')
    .values({ manifest_digest: manifest, license_id: licenseId, body: JSON.stringify(wrap) })
    .onConflict(conflict => conflict.doNothing())
    .execute();
  return wrap;
}

interface Entitled {
  readonly id: string;
  readonly product: string;
  readonly channels: readonly string[];
  readonly expires_at: Date | null;
}

/** What was published while the license was valid stays open to it: it is needed for recovery. */
async function requireEntitled(context: Context, license: Entitled, manifest: string): Promise<void> {
  const releases = await context.db
    .selectFrom('releases')
    .select(['product', 'channel', 'published_at'])
    .where('manifest_digest', '=', manifest)
    .where('state', '=', 'published')
    .execute();
  if (releases.length === 0) throw serverError('not-found', `No published release has the manifest ${manifest}.`);
  const included = releases.filter(
    ({ product, channel }) => product === license.product && license.channels.includes(channel),
  );
  const { expires_at: expiresAt } = license;
  if (included.some(({ published_at: at }) => expiresAt === null || (at !== null && at < expiresAt))) return;
  if (included.length > 0) {
    throw serverError('license-refused', `License ${license.id} expired before this release was published.`);
  }
  throw serverError('license-refused', `License ${license.id} does not include this release.`);
}
