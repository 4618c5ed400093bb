// The published TUF repository: metadata rows in the database, signed objects in the blob store.
// Nothing is published before the sites' own verification code has accepted it.
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import {
  canonicalJson,
  forgetful,
  type MetadataFile,
  type MetadataSource,
  OFFLINE_SNAPSHOT,
  parseMetadata,
  parseOfflineRole,
  type RootRole,
  refresh,
  refreshFromMedium,
  requireDigest,
  sha256Hex,
  signMetadata,
  snapshotDocument,
  timestampDocument,
} from '../../signing/index.ts';
import { type Context, everyTenant, type Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import { serverError } from '../errors.ts';
import { leaseObjects } from '../releases/leases.ts';
import { takeUpDocumentKeys } from './document-keys.ts';
import { type OnlineSigners, takeUpOnlineKeys } from './online-keys.ts';

/** A missed renewal is noticed by sites after the timestamp's life; the renewal job runs many times within it. */
const TIMESTAMP_LIFE_MS = 7 * 24 * 3600_000;
const SNAPSHOT_LIFE_MS = 30 * 24 * 3600_000;

/** Roles that a snapshot does not list: all others are targets roles. */
export const NOT_LISTED: readonly string[] = ['root', 'timestamp', 'snapshot', 'offline-snapshot'] satisfies RootRole[];

/** Names of metadata files have nine digits for it. */
const MOST_VERSIONS = 999_999_999;

/** With the organization's hash, one advisory lock over all services that share the database: publications come one by one. */
const PUBLISH_LOCK = 0x524f_4c4c;

/** New metadata, by role, and the signed objects it names, by path. */
export interface Publication {
  readonly metadata: ReadonlyMap<string, Uint8Array>;
  readonly targets: ReadonlyMap<string, Uint8Array>;
}

/** Where an organization's metadata is, perhaps inside a transaction. */
export type Repository = Pick<Tenant, 'db' | 'organization'>;

/** The newest published bytes of a role, or of one version of it. */
export async function publishedMetadata(
  { db, organization }: Repository,
  role: string,
  version?: number,
): Promise<Buffer | undefined> {
  let query = db
    .selectFrom('metadata')
    .select('body')
    .where('organization', '=', organization)
    .where('role', '=', role);
  if (version !== undefined) query = query.where('version', '=', version);
  return (await query.orderBy('version', 'desc').limit(1).executeTakeFirst())?.body;
}

/**
 * Publishes new metadata with a new snapshot and timestamp: all of it or nothing.
 *
 * `also` runs in the same transaction. Repeating a publication that is already there only renews the timestamp.
 * @throws `trust-missing`, `metadata-conflict`, and the codes of the trust core for metadata that sites would refuse
 */
export async function publish(
  tenant: Tenant,
  publication: Publication,
  also: (db: Database) => Promise<void> = async () => undefined,
): Promise<void> {
  await storeTargets(tenant, publication.targets);
  await tenant.db.transaction().execute(async db => {
    await sql`select pg_advisory_xact_lock(${PUBLISH_LOCK}, hashtext(${tenant.organization}))`.execute(db);
    const within: Tenant = { ...tenant, db };
    const now = tenant.now();
    for (const [role, bytes] of publication.metadata) await insertNext(within, role, bytes, now);
    const root = await publishedMetadata(within, 'root');
    if (!root) throw noRoot();
    const targets = await publishedMetadata(within, 'targets');
    if (targets) await takeUpDocumentKeys(within, targets);
    await signOnlineRoles(within, await takeUpOnlineKeys(within, root), now);
    await verifyAsSite(within, publication, now);
    await also(db);
  });
}

function noRoot(): Error {
  return serverError('trust-missing', 'This organization has no root of trust yet.');
}

/** Leased until the metadata that names them is committed: an equal object may lie there, old and unneeded so far. */
async function storeTargets(tenant: Tenant, targets: Publication['targets']): Promise<void> {
  if (targets.size === 0) return;
  const objects = new Map([...targets.values()].map(bytes => [sha256Hex(bytes), bytes]));
  await leaseObjects(tenant, randomUUID(), [...objects.keys()]);
  for (const [digest, bytes] of objects) await tenant.blobs.put(digest, bytes);
  await tenant.blobs.flush();
}

/** Signs a fresh timestamp for every organization, and a fresh snapshot when it is time. Run by a job, and safe to repeat. */
export async function renewOnlineRoles(context: Context): Promise<void> {
  const failures: unknown[] = [];
  for (const tenant of await everyTenant(context)) {
    if (!(await publishedMetadata(tenant, 'root'))) continue;
    // One that cannot be renewed keeps no other from it.
    await publish(tenant, { metadata: new Map(), targets: new Map() }).catch(error => failures.push(error));
  }
  if (failures.length > 0)
    throw new AggregateError(failures, 'The online roles of some organizations were not renewed.');
}

/**
 * Signs snapshot and timestamp under numbers that are higher by `by`, for a service that may have issued some that it knows nothing
 * of. Nothing else is said than before, so nothing is verified; the next renewal does.
 *
 * @param tenant its `db` is a transaction
 * @throws `backup-numbers` when there are no such numbers any more
 */
export async function leapOnlineRoles(tenant: Tenant, by: number): Promise<void> {
  await sql`select pg_advisory_xact_lock(${PUBLISH_LOCK}, hashtext(${tenant.organization}))`.execute(tenant.db);
  const root = await publishedMetadata(tenant, 'root');
  const targets = await publishedMetadata(tenant, 'targets');
  if (!root || !targets) return;
  for (const role of ['snapshot', 'timestamp'] as const) await requireRoom(tenant, role, by);
  const signers = await takeUpOnlineKeys(tenant, root);
  const now = tenant.now();
  const snapshot = await signSnapshot(tenant, await currentRoles(tenant), signers, now, by);
  await signTimestamp(tenant, snapshot, signers, now, by);
}

async function requireRoom(repository: Repository, role: 'snapshot' | 'timestamp', by: number): Promise<void> {
  const current = await currentVersion(repository, role);
  if (current + by < MOST_VERSIONS) return;
  const what = `The ${role} of ${repository.organization} would have a number above ${MOST_VERSIONS}`;
  throw serverError('backup-numbers', `${what}: ${current}, and ${by} more.`);
}

/** Adds the next version of a role; a version that is already published has to be the very same bytes. */
async function insertNext(repository: Repository, role: string, bytes: Uint8Array, at: Date): Promise<void> {
  const { version } = parseOfflineRole(role, bytes).content;
  const current = await currentVersion(repository, role);
  if (version <= current) {
    const known = await publishedMetadata(repository, role, version);
    if (known?.equals(bytes)) return;
  }
  if (version !== current + 1) {
    const offered = `version ${version} of ${role} was offered`;
    throw serverError('metadata-conflict', `The repository has version ${current} of ${role}; ${offered}.`);
  }
  await insert(repository, role, version, bytes, at);
}

async function signOnlineRoles(repository: Repository, signers: OnlineSigners, now: Date): Promise<void> {
  const roles = await currentRoles(repository);
  if (!roles.has('targets')) throw noRoot();
  const snapshot =
    (await snapshotInForce(repository, roles, signers, now)) ?? (await signSnapshot(repository, roles, signers, now));
  await signTimestamp(repository, snapshot, signers, now);
}

async function signTimestamp(
  repository: Repository,
  snapshot: MetadataFile,
  signers: OnlineSigners,
  now: Date,
  leap = 0,
): Promise<void> {
  const version = (await currentVersion(repository, 'timestamp')) + 1 + leap;
  const document = timestampDocument({ version, expiresMs: now.getTime() + TIMESTAMP_LIFE_MS }, snapshot);
  await insert(repository, 'timestamp', version, await signMetadata(document, [signers.timestamp]), now);
}

async function signSnapshot(
  repository: Repository,
  roles: ReadonlyMap<string, MetadataFile>,
  signers: OnlineSigners,
  now: Date,
  leap = 0,
): Promise<MetadataFile> {
  const version = (await currentVersion(repository, 'snapshot')) + 1 + leap;
  const dates = { version, expiresMs: now.getTime() + SNAPSHOT_LIFE_MS };
  const bytes = await signMetadata(snapshotDocument(dates, roles), [signers.snapshot]);
  await insert(repository, 'snapshot', version, bytes, now);
  return { version, bytes };
}

/**
 * The newest snapshot, while it says what a new one would say, was signed by the key in use, and has half of its life left:
 * sites have it already, and need not fetch it again each time the timestamp is renewed.
 */
async function snapshotInForce(
  repository: Repository,
  roles: ReadonlyMap<string, MetadataFile>,
  signers: OnlineSigners,
  now: Date,
): Promise<MetadataFile | undefined> {
  const bytes = await publishedMetadata(repository, 'snapshot');
  if (!bytes) return undefined;
  const { content, signed, signatures } = parseMetadata('snapshot', bytes);
  const isSame = canonicalJson(snapshotDocument(content, roles)).equals(signed);
  const hasTime = content.expiresMs - now.getTime() > SNAPSHOT_LIFE_MS / 2;
  return isSame && hasTime && signatures.has(signers.snapshot.keyId) ? { version: content.version, bytes } : undefined;
}

/** Runs the sites' workflow over what is about to be committed, from the first root on. */
async function verifyAsSite(tenant: Tenant, publication: Publication, now: Date): Promise<void> {
  const anchor = await publishedMetadata(tenant, 'root', 1);
  if (!anchor) throw noRoot();
  const offline = publication.metadata.get('offline-snapshot');
  if (offline) await requireListsPublished(tenant, offline);
  const follow = offline ? refreshFromMedium : refresh;
  const view = await follow(databaseSource(tenant), forgetful, anchor, now.getTime());
  await view.loadAllRoles();
  for (const path of publication.targets.keys()) await view.target(path);
}

/** An offline snapshot names nothing but what was published. @throws `metadata-digest` */
async function requireListsPublished(repository: Repository, offline: Uint8Array): Promise<void> {
  const { root, meta } = parseMetadata('offline-snapshot', offline).content;
  for (const [name, promised] of [['root.json', root] as const, ...meta]) {
    const bytes = await publishedMetadata(repository, name.replace(/\.json$/, ''), promised.version);
    requireDigest(name, bytes ?? Buffer.alloc(0), promised);
  }
}

/** Reads metadata from the database and signed objects from the blob store: what a site would be served. */
export function databaseSource(tenant: Repository & Pick<Tenant, 'blobs'>): MetadataSource {
  const { blobs } = tenant;
  return {
    async metadata(name) {
      const file = parseMetadataName(name);
      return file && publishedMetadata(tenant, file.role, file.version);
    },
    target: async (_path, sha256) => ((await blobs.size(sha256)) === undefined ? undefined : blobs.get(sha256)),
  };
}

/** `3.root.json` to role and version; `timestamp.json` and `offline-snapshot.json` have none. Undefined for anything else. */
export function parseMetadataName(name: string): { role: string; version?: number } | undefined {
  if (name === 'timestamp.json') return { role: 'timestamp' };
  if (name === OFFLINE_SNAPSHOT) return { role: 'offline-snapshot' };
  const match = /^([1-9]\d{0,8})\.([a-z0-9][a-z0-9._-]{0,127})\.json$/.exec(name);
  return match ? { role: match[2] as string, version: Number(match[1]) } : undefined;
}

/** Current targets and channel roles, as the snapshot lists them. */
async function currentRoles({ db, organization }: Repository): Promise<Map<string, MetadataFile>> {
  const rows = await db
    .selectFrom('metadata')
    .distinctOn('role')
    .select(['role', 'version', 'body'])
    .where('organization', '=', organization)
    .where('role', 'not in', NOT_LISTED)
    .orderBy('role')
    .orderBy('version', 'desc')
    .execute();
  return new Map(rows.map(row => [row.role, { version: row.version, bytes: row.body }]));
}

async function currentVersion({ db, organization }: Repository, role: string): Promise<number> {
  const own = db.selectFrom('metadata').select('version').where('organization', '=', organization);
  const newest = own.where('role', '=', role).orderBy('version', 'desc').limit(1);
  return (await newest.executeTakeFirst())?.version ?? 0;
}

async function insert(
  { db, organization }: Repository,
  role: string,
  version: number,
  body: Uint8Array,
  at: Date,
): Promise<void> {
  await db
    .insertInto('metadata')
    .values({ organization, role, version, body: Buffer.from(body), published_at: at })
    .execute();
}
