// What a site may install, said by the service for one license: the releases of its channels that it is entitled to, and the steps
// that were rehearsed for it. The offline keys have said what exists.
import { sql } from 'kysely';
import { type Director, isLocked, keyIdOf, publicKeyOf, signDirector } from '../../signing/index.ts';
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import { serverError } from '../errors.ts';
import { activeLicense } from '../licenses/licenses.ts';
import { rehearsedSteps } from '../licenses/rehearsals.ts';
import { lockedError, rowTerm } from '../licenses/term.ts';
import { onlineKey } from '../secrets.ts';
import { installsFor } from './installs.ts';

const DAY_MS = 24 * 3600_000;
/** A connected site asks every day; a stick lies in a drawer. */
const LIFE_MS = { connected: 30 * DAY_MS, media: 400 * DAY_MS } as const;
/** `media`, and a relay, carry it for every site of the license. */
type Whom = { readonly site: string } | 'relay' | 'media';

const KEY_NAME = 'director';

/**
 * A fresh document.
 *
 * @throws `not-found`, `license-refused` for a license that is not active, or a site that is not its own, `license-expired` for one
 *   that is locked
 */
export async function directorFor(tenant: Tenant, licenseId: string, whom: Whom): Promise<string> {
  const license = await activeLicense(tenant, licenseId);
  const site = typeof whom === 'string' ? undefined : whom.site;
  if (site !== undefined) await requireSite(tenant, licenseId, site);
  const now = tenant.now();
  if (isLocked(rowTerm(license), now.getTime())) throw lockedError(license);
  const rehearsals = await rehearsedSteps(tenant, licenseId);
  const life = whom === 'media' ? LIFE_MS.media : LIFE_MS.connected;
  const document: Director = {
    version: 1,
    license: licenseId,
    ...(site === undefined ? {} : { site }),
    product: license.product,
    issuedAt: now.toISOString(),
    expiresAt: new Date(now.getTime() + life).toISOString(),
    sequence: await nextSequence(tenant),
    installs: await installsFor(tenant, license),
    ...(rehearsals.length > 0 ? { rehearsals: [...rehearsals] } : {}),
  };
  const key = await onlineKey(tenant, KEY_NAME);
  return signDirector(document, key, keyIdOf(publicKeyOf(key)));
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
