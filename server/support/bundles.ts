// The support bundles that are here: found by their site, handed out as they came, opened for who may, removed when their time is over.
import { Readable } from 'node:stream';
import type { Selectable } from 'kysely';
import {
  type BlobStore,
  type ByteRange,
  openSupportHead,
  partBytes,
  type Servable,
  type SupportKey,
  supportHeadLine,
} from '../../bundles/index.ts';
import { type Actor, audit } from '../audit/audit.ts';
import { type Context, everyTenant, type Tenant } from '../context.ts';
import type { SupportBundleTable } from '../db/schema.ts';
import { serverError } from '../errors.ts';
import { isBefore, type Page, type PageRequest, page, readCursor } from '../http/paging.ts';
import { openSealed } from '../sites/sealed.ts';
import { requireSite } from '../sites/search.ts';
import { type SupportLimits, UNFINISHED_MS } from './limits.ts';

const DAY_MS = 24 * 3600_000;

export interface SupportBundleView {
  readonly id: string;
  readonly site: string;
  /** `connection` or `file`. */
  readonly via: string;
  readonly madeAt: string;
  readonly receivedAt: string;
  /** When it is removed. */
  readonly expiresAt: string;
  readonly agentVersion: string;
  readonly note: string | null;
  /** Of it, sealed. */
  readonly bytes: number;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
}

type Row = Selectable<SupportBundleTable>;

/** Newest first. @throws `not-found` */
export async function listBundles(
  tenant: Tenant,
  limits: SupportLimits,
  site: string,
  { limit, cursor }: PageRequest,
): Promise<Page<SupportBundleView>> {
  await requireSite(tenant, site);
  const after = readCursor(cursor);
  let query = ownBundles(tenant, site)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (after) query = query.where(isBefore('created_at', after));
  return page(
    await query.execute(),
    limit,
    row => view(limits, row),
    ({ created_at: at, id }) => ({ at: at.toISOString(), id }),
  );
}

/** @throws `not-found` */
export async function bundleById(
  tenant: Tenant,
  limits: SupportLimits,
  site: string,
  id: string,
): Promise<SupportBundleView> {
  return view(limits, await requireBundle(tenant, site, id));
}

/** The bundle as the site sent it: the same file. @throws `not-found` */
export async function bundleFile(tenant: Tenant, site: string, id: string): Promise<Servable> {
  const row = await requireBundle(tenant, site, id);
  const head = supportHeadLine(row.head);
  const size = head.length + row.bytes;
  const stream = async (range: ByteRange = { start: 0, end: size }) =>
    Readable.from(pieces(tenant.blobs, row, head, range));
  return { size, etag: `"${id}"`, stream };
}

/** A part at a time, whatever is asked for. */
async function* pieces(blobs: BlobStore, row: Row, head: Buffer, { start, end }: ByteRange) {
  if (start < head.length) yield head.subarray(start, end);
  let at = head.length;
  for (const [index, digest] of row.parts.entries()) {
    const length = partBytes(row, index);
    const [from, to] = [Math.max(0, start - at), Math.min(length, end - at)];
    if (from < to) yield (await blobs.read(digest)).subarray(from, to);
    at += length;
  }
}

/** The key to one bundle. That it was asked for is written down. @throws `not-found`, `support-refused`, `message-unopenable` */
export async function bundleKey(tenant: Tenant, site: string, id: string, actor: Actor): Promise<SupportKey> {
  const { head } = await requireBundle(tenant, site, id);
  const gone = (why: string, cause?: unknown) =>
    serverError('support-refused', `The support bundle ${id} cannot be opened. ${why}`, { cause });
  const { unverified } = await openSealed(tenant, head, openSupportHead, gone);
  await audit(tenant.db, tenant, actor, 'support-bundle.open', id, { site });
  return { key: unverified.key, parts: unverified.parts };
}

/**
 * Forgets a bundle. With its head goes the only copy of its key: its parts are noise from then on, and the collector takes them.
 *
 * @throws `not-found`
 */
export async function removeBundle(tenant: Tenant, site: string, id: string, actor: Actor): Promise<void> {
  await requireBundle(tenant, site, id);
  await tenant.db.transaction().execute(async db => {
    await db
      .deleteFrom('support_bundles')
      .where('organization', '=', tenant.organization)
      .where('id', '=', id)
      .execute();
    await audit(db, tenant, actor, 'support-bundle.remove', id, { site });
  });
}

/** Removes bundles whose time is over, and what never came whole. Run by a job. */
export async function forgetBundles(context: Context, { days }: SupportLimits): Promise<void> {
  const nowMs = context.now().getTime();
  for (const tenant of await everyTenant(context)) {
    const own = tenant.db.deleteFrom('support_bundles').where('organization', '=', tenant.organization);
    const unfinished = new Date(nowMs - UNFINISHED_MS);
    await own.where('state', '=', 'receiving').where('created_at', '<', unfinished).execute();
    await tenant.db.transaction().execute(async db => {
      const old = await db
        .deleteFrom('support_bundles')
        .where('organization', '=', tenant.organization)
        .where('state', '=', 'received')
        .where('created_at', '<', new Date(nowMs - days * DAY_MS))
        .returning(['id', 'site_id'])
        .execute();
      for (const { id, site_id: site } of old) {
        await audit(db, tenant, 'service', 'support-bundle.expire', id, { site });
      }
    });
  }
}

function ownBundles(tenant: Tenant, site: string) {
  return tenant.db
    .selectFrom('support_bundles')
    .selectAll()
    .where('organization', '=', tenant.organization)
    .where('site_id', '=', site)
    .where('state', '=', 'received');
}

async function requireBundle(tenant: Tenant, site: string, id: string): Promise<Row> {
  await requireSite(tenant, site);
  const row = await ownBundles(tenant, site).where('id', '=', id).executeTakeFirst();
  if (row) return row;
  throw serverError('not-found', `Site ${site} has no support bundle ${id}.`);
}

function view({ days }: SupportLimits, row: Row): SupportBundleView {
  return {
    id: row.id,
    site: row.site_id,
    via: row.via,
    madeAt: row.made_at.toISOString(),
    receivedAt: row.created_at.toISOString(),
    expiresAt: new Date(row.created_at.getTime() + days * DAY_MS).toISOString(),
    agentVersion: row.agent_version,
    note: row.note,
    bytes: row.bytes,
    files: row.files,
  };
}
