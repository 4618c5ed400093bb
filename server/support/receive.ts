// Takes support bundles: over the connection of a site, and as files that somebody carried here. First the head, which says what is
// to come and is believed by the signature of its site; then the parts, each under its digest. Nothing of a bundle is opened but its
// head, and nothing is stored that no head has named.
import { sql } from 'kysely';
import {
  openSupportHead,
  partBytes,
  type SupportAnswer,
  type SupportHead,
  supportBundleId,
} from '../../bundles/index.ts';
import { counted, type SealedMessage } from '../../signing/index.ts';
import { type Actor, audit } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import { serverError } from '../errors.ts';
import { leaseObjects } from '../releases/leases.ts';
import { openSealed, orRefused } from '../sites/sealed.ts';
import { ownSites } from '../sites/search.ts';
import { emit } from '../webhooks/emit.ts';
import { MOST_BUNDLES_A_SITE, type SupportLimits } from './limits.ts';

/** With the organization's hash: who counts what is there keeps others from adding to it. */
const QUOTA_LOCK = 0x5355_5050;

/** Who brings a bundle. */
export interface Bringer {
  readonly actor: Actor;
  /** The license of the connection; absent for a file. */
  readonly license?: string;
}

/**
 * The head of a bundle: which of its parts are to be sent, or, when none is, that it is here. Safe to repeat: a bundle sent twice is one.
 *
 * @throws `support-refused`, `message-unopenable`, `support-full`, `not-found` for a site that is not theirs
 */
export async function announceBundle(
  tenant: Tenant,
  limits: SupportLimits,
  head: SealedMessage,
  bringer: Bringer,
): Promise<SupportAnswer> {
  const opened = await openSealed(tenant, head, openSupportHead, refused);
  const site = await requireBringersSite(tenant, opened.unverified.site, bringer);
  const said = await orRefused(() => opened.verify(site.public_key), refused);
  const id = supportBundleId(head);
  const state = await noteHead(tenant, limits, id, head, said, bringer);
  if (state === 'received') return { id, site: site.id, state, missing: [] };
  // The collector leaves alone what is leased; from the end of the transaction below on, it knows the bundle.
  const missing = [...(await leaseObjects(tenant, `support-${id}`, said.parts))];
  if (missing.length > 0) return { id, site: site.id, state, missing };
  await tenant.blobs.flush();
  await complete(tenant, id, site, said, bringer);
  return { id, site: site.id, state: 'received', missing };
}

/** A part that the head of a bundle has named. @throws `not-found`, `object-corrupt`, `disk-write` */
export async function storePart(
  tenant: Tenant,
  bundle: string,
  digest: string,
  bytes: Buffer,
  bringer: Bringer,
): Promise<void> {
  const row = await ownRow(tenant.db, tenant, bundle);
  const index = row?.parts.indexOf(digest) ?? -1;
  if (!row || index < 0) throw serverError('not-found', `No support bundle ${bundle} has a part ${digest}.`);
  await requireBringersSite(tenant, row.site_id, bringer);
  if (bytes.length !== partBytes(row, index)) throw refused(`Part ${index + 1} is of another size than announced.`);
  await tenant.blobs.put(digest, bytes);
}

async function requireBringersSite(tenant: Tenant, id: string, { license }: Bringer) {
  const own = ownSites(tenant).selectAll().where('id', '=', id);
  const site = await (license === undefined ? own : own.where('license_id', '=', license)).executeTakeFirst();
  if (site) return site;
  const where = license === undefined ? 'here' : `under license ${license}`;
  const next = 'A site without a network becomes known by its receipt: rollover site import-receipt FILE';
  throw serverError('not-found', `The support bundle is of a site that is not known ${where}. ${next}`);
}

/** Writes the head down, where there is room for the bundle. @returns how much of it is here */
function noteHead(
  tenant: Tenant,
  limits: SupportLimits,
  id: string,
  head: SealedMessage,
  said: SupportHead,
  { license }: Bringer,
): Promise<'receiving' | 'received'> {
  const { organization, now } = tenant;
  return tenant.db.transaction().execute(async db => {
    await sql`select pg_advisory_xact_lock(${QUOTA_LOCK}, hashtext(${organization}))`.execute(db);
    const known = await ownRow(db, tenant, id);
    if (known) return known.state;
    await requireRoom(db, tenant, limits, said);
    const row = {
      organization,
      id,
      site_id: said.site,
      state: 'receiving' as const,
      via: license === undefined ? ('file' as const) : ('connection' as const),
      head: JSON.stringify(head),
      made_at: new Date(said.at),
      agent_version: said.agentVersion,
      note: said.note ?? null,
      files: JSON.stringify(said.files),
      bytes: said.bytes,
      parts: said.parts,
      created_at: now(),
    };
    await db.insertInto('support_bundles').values(row).execute();
    return row.state;
  });
}

/** Counted by what is announced, before any of it is stored. @throws `support-full` */
async function requireRoom(
  db: Database,
  { organization }: Tenant,
  { quotaBytes }: SupportLimits,
  { site, bytes }: SupportHead,
): Promise<void> {
  const { all, ofSite } = await db
    .selectFrom('support_bundles')
    .where('organization', '=', organization)
    .select([
      sql<string>`coalesce(sum(bytes), 0)`.as('all'),
      sql<number>`(count(*) filter (where site_id = ${site}))::integer`.as('ofSite'),
    ])
    .executeTakeFirstOrThrow();
  if (ofSite >= MOST_BUNDLES_A_SITE) {
    throw serverError('support-full', `The vendor keeps ${counted(ofSite, 'support bundle')} of site ${site} already.`);
  }
  if (Number(all) + bytes > quotaBytes) {
    throw serverError('support-full', 'The vendor has no room for another support bundle.');
  }
}

/** Once, whoever brings the last part. */
async function complete(
  tenant: Tenant,
  id: string,
  site: { readonly id: string; readonly name: string; readonly license_id: string },
  { bytes }: SupportHead,
  { actor }: Bringer,
): Promise<void> {
  await tenant.db.transaction().execute(async db => {
    const { numUpdatedRows } = await db
      .updateTable('support_bundles')
      .set({ state: 'received', created_at: tenant.now() })
      .where('organization', '=', tenant.organization)
      .where('id', '=', id)
      .where('state', '=', 'receiving')
      .executeTakeFirstOrThrow();
    if (numUpdatedRows === 0n) return;
    const data = { bundle: id, site: site.id, name: site.name, license: site.license_id, bytes };
    await emit(db, tenant, { type: 'support-bundle.received', data });
    await audit(db, tenant, actor, 'support-bundle.receive', id, { site: site.id });
  });
}

function ownRow(db: Database, { organization }: Tenant, id: string) {
  return db
    .selectFrom('support_bundles')
    .select(['state', 'site_id', 'parts', 'bytes'])
    .where('organization', '=', organization)
    .where('id', '=', id)
    .executeTakeFirst();
}

function refused(why: string, cause?: unknown): Error {
  return serverError('support-refused', `The support bundle is not taken. ${why}`, { cause });
}
