// What a site may install, said by the service for one license: the releases of its channels that it is entitled to. Rollouts
// and yanks narrow this; the offline keys have said what exists.
import { type RawBuilder, sql } from 'kysely';
import { parseDocument, releaseDocumentSchema } from '../../bundles/index.ts';
import { type Director, type Install, keyIdOf, publicKeyOf, signDirector } from '../../signing/index.ts';
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import { ownedBy } from '../db/owned.ts';
import { serverError } from '../errors.ts';
import { activeLicense } from '../licenses/licenses.ts';
import { onlineKey } from '../secrets.ts';

const DAY_MS = 24 * 3600_000;
/** A connected site asks every day; a stick lies in a drawer. */
const LIFE_MS = { connected: 30 * DAY_MS, media: 400 * DAY_MS } as const;
/** The newest of each channel: a site that is further behind takes the newest as well. */
const MOST_INSTALLS = 64;
const KEY_NAME = 'director';

/**
 * A fresh document.
 *
 * @param site absent for media: then it is for every site of the license
 * @throws `not-found`, `license-refused` for a license that is not active, or a site that is not its own
 */
export async function directorFor(tenant: Tenant, licenseId: string, site: string | undefined): Promise<string> {
  const license = await activeLicense(tenant, licenseId);
  if (site !== undefined) await requireSite(tenant, licenseId, site);
  const now = tenant.now();
  const life = site === undefined ? LIFE_MS.media : LIFE_MS.connected;
  const document: Director = {
    version: 1,
    license: licenseId,
    ...(site === undefined ? {} : { site }),
    product: license.product,
    issuedAt: now.toISOString(),
    expiresAt: new Date(now.getTime() + life).toISOString(),
    sequence: await nextSequence(tenant),
    installs: await installs(tenant, license),
  };
  const key = await onlineKey(tenant, KEY_NAME);
  return signDirector(document, key, keyIdOf(publicKeyOf(key)));
}

/** Published while the license was valid, in its channels: what a wrap is made for as well. */
async function installs(
  tenant: Tenant,
  license: { readonly product: string; readonly channels: readonly string[]; readonly expires_at: Date | null },
): Promise<Install[]> {
  let query = tenant.db
    .selectFrom('releases')
    .select(['channel', 'document'])
    .where(ownedBy(tenant, 'releases'))
    .where('state', '=', 'published')
    .where('product', '=', license.product)
    .where('channel', 'in', [...license.channels])
    .where(notHeld(tenant));
  if (license.expires_at) query = query.where('published_at', '<', license.expires_at);
  const rows = await query.orderBy('counter', 'desc').limit(MOST_INSTALLS).execute();
  return rows.map(({ channel, document }) => {
    const release = parseDocument(releaseDocumentSchema, Buffer.from(document), 'release document');
    const { version, counter, manifest, image } = release;
    return { channel, version, counter, manifest, ...(image ? { hardware: image.hardware } : {}) };
  });
}

/** A version whose rollout is paused or halted is offered to nobody, also where no bulletin is asked for. */
function notHeld({ organization }: Tenant): RawBuilder<boolean> {
  return sql<boolean>`not exists (
    select from rollouts held
    where held.organization = ${organization} and held.product = releases.product and held.channel = releases.channel
      and held.version = releases.version and held.state in ('paused', 'halted'))`;
}

async function requireSite({ db }: Tenant, license: string, site: string): Promise<void> {
  const row = db.selectFrom('sites').select('id').where('id', '=', site).where('license_id', '=', license);
  if (await row.executeTakeFirst()) return;
  throw serverError('license-refused', `The site ${site} is not activated with license ${license}.`);
}

async function nextSequence({ db }: Tenant): Promise<number> {
  const { rows } = await sql<{ number: string }>`select nextval('director_sequence') as number`.execute(db);
  return Number(rows[0]?.number);
}

/** Documents get numbers that are higher by `by`, from the end of the transaction on. */
export async function leapSequence(db: Database, by: number): Promise<void> {
  await sql`select setval('director_sequence', nextval('director_sequence') + ${by}::bigint)`.execute(db);
}
