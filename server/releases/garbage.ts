// Takes away objects that nothing needs any more, and never one that something needs: not a published release, not a release
// that is being published, not a site that is still fetching. Mark, wait out a grace period, sweep.
//
// The race that matters: a publication finds an old, unneeded object, relies on it, and the sweep takes it. So whoever relies
// on an object takes a lease first and looks afterwards, and the sweep looks for leases and removes under a lock that taking
// a lease waits for.
import { type Selectable, sql } from 'kysely';
import { openManifest, type StoredObject } from '../../bundles/index.ts';
import { hasCode, parseMetadata } from '../../signing/index.ts';
import { type Context, everyTenant, type Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import type { ReleaseTable } from '../db/schema.ts';
import { NOT_LISTED, publishedMetadata } from '../trust/repository.ts';
import { openContentKey } from './content-keys.ts';
import { GARBAGE_LOCK } from './leases.ts';

/** A backup holds it alone for as long as it copies objects; a sweep that does not get it removes nothing. */
export const BACKUP_LOCK = 0x4241_434b;

/** An object younger than this is left alone: a publication or a fetch may be about to need it. */
export const GARBAGE_GRACE_MS = 24 * 3600_000;
const SWEEP_BATCH = 500;

export interface Garbage {
  readonly objects: number;
  readonly bytes: number;
  readonly keptObjects: number;
}

/** Removes what no organization needs. Run by a job. */
export async function collectAllGarbage(context: Context): Promise<void> {
  for (const tenant of await everyTenant(context)) {
    await collectGarbage(tenant, { graceMs: GARBAGE_GRACE_MS, dryRun: false });
  }
}

/** Removes what the organization does not need. Safe to run beside anything, also beside itself. */
export async function collectGarbage(
  tenant: Tenant,
  { graceMs, dryRun }: { readonly graceMs: number; readonly dryRun: boolean },
): Promise<Garbage> {
  const before = tenant.now().getTime() - graceMs;
  await tenant.db
    .deleteFrom('leases')
    .where('organization', '=', tenant.organization)
    .where('until', '<', tenant.now())
    .execute();
  const marked = new Marks(tenant);
  await marked.update(tenant.db);
  const total = { objects: 0, bytes: 0, keptObjects: 0 };
  const sweep = async (batch: readonly StoredObject[]) => {
    const removed = await sweepBatch(tenant, marked, batch, dryRun);
    total.objects += removed.length;
    total.bytes += removed.reduce((sum, object) => sum + object.size, 0);
    total.keptObjects += batch.length - removed.length;
  };
  let batch: StoredObject[] = [];
  for await (const object of tenant.blobs.list()) {
    if (object.storedMs >= before || marked.has(object.digest)) {
      total.keptObjects++;
      continue;
    }
    batch.push(object);
    if (batch.length < SWEEP_BATCH) continue;
    await sweep(batch);
    batch = [];
  }
  await sweep(batch);
  if (!dryRun) tenant.log.info({ organization: tenant.organization, ...total }, 'garbage collected');
  return total;
}

/** Under the lock: what has been leased or submitted since the marking is seen before anything is removed. */
async function sweepBatch(
  tenant: Tenant,
  marked: Marks,
  batch: readonly StoredObject[],
  dryRun: boolean,
): Promise<readonly StoredObject[]> {
  if (batch.length === 0) return [];
  return tenant.db.transaction().execute(async db => {
    await sql`select pg_advisory_xact_lock(${GARBAGE_LOCK}, hashtext(${tenant.organization}))`.execute(db);
    if (await isBackupRunning(db)) return [];
    await marked.update(db);
    const digests = batch.map(object => object.digest);
    const leases = await db
      .selectFrom('leases')
      .select('digest')
      .where('organization', '=', tenant.organization)
      .where('digest', 'in', digests)
      .execute();
    const leased = new Set(leases.map(lease => lease.digest));
    const unneeded = batch.filter(({ digest }) => !leased.has(digest) && !marked.has(digest));
    if (!dryRun) for (const { digest } of unneeded) await tenant.blobs.remove(digest);
    return unneeded;
  });
}

/** From here to the end of the transaction, none begins either. */
async function isBackupRunning(db: Database): Promise<boolean> {
  const lock = sql<{ free: boolean }>`select pg_try_advisory_xact_lock_shared(${BACKUP_LOCK}, 0) as free`;
  return !(await lock.execute(db)).rows[0]?.free;
}

/** The objects that an organization needs now: of its releases that have not failed, its metadata, and its support bundles. */
export async function neededObjects(tenant: Tenant): Promise<ReadonlySet<string>> {
  const marks = new Marks(tenant);
  await marks.update(tenant.db);
  return marks.digests;
}

/** Every object that a release, published metadata or a support bundle names. Grows as releases are added; nothing is ever unmarked. */
class Marks {
  readonly #tenant: Tenant;
  readonly #digests = new Set<string>();
  readonly #releases = new Set<string>();
  readonly #metadata = new Set<string>();

  constructor(tenant: Tenant) {
    this.#tenant = tenant;
  }

  get digests(): ReadonlySet<string> {
    return this.#digests;
  }

  has(digest: string): boolean {
    return this.#digests.has(digest);
  }

  /** Reads what has come since the last time. */
  async update(db: Database): Promise<void> {
    const { organization } = this.#tenant;
    const releases = await db
      .selectFrom('releases')
      .selectAll()
      .where('organization', '=', organization)
      .where('state', '!=', 'failed')
      .execute();
    for (const release of releases) {
      for (const digest of Object.values(release.attestations ?? {})) this.#digests.add(digest);
      if (!this.#releases.has(release.manifest_digest)) await this.#release(release);
    }
    const files = await db
      .selectFrom('metadata')
      .select(['role', 'version'])
      .where('organization', '=', organization)
      .execute();
    for (const { role, version } of files) await this.#role(db, role, version);
    // Parts of those that are still coming are leased: some are not there yet, and nobody is to miss them.
    const bundles = await db
      .selectFrom('support_bundles')
      .select('parts')
      .where('organization', '=', organization)
      .where('state', '=', 'received')
      .execute();
    for (const { parts } of bundles) for (const digest of parts) this.#digests.add(digest);
  }

  /** A release whose manifest cannot be opened keeps the manifest; its publication will fail by itself. */
  async #release(release: Selectable<ReleaseTable>): Promise<void> {
    const { manifest_digest: manifest, index_digest: index, sealed_content_key: sealed } = release;
    this.#digests.add(manifest).add(index);
    const { blobs } = this.#tenant;
    try {
      const contentKey = openContentKey(this.#tenant, manifest, sealed);
      const { segments } = openManifest(manifest, contentKey, await blobs.get(manifest));
      for (const { name } of segments) this.#digests.add(name);
      this.#releases.add(manifest);
    } catch (error) {
      if (!hasCode(error, 'object-missing', 'object-corrupt', 'manifest-corrupt')) throw error;
    }
  }

  async #role(db: Database, role: string, version: number): Promise<void> {
    const name = `${version}.${role}`;
    if (NOT_LISTED.includes(role) || this.#metadata.has(name)) return;
    const body = await publishedMetadata({ ...this.#tenant, db }, role, version);
    if (!body) return;
    for (const { sha256 } of parseMetadata('targets', body).content.targets.values()) {
      if (sha256) this.#digests.add(sha256);
    }
    this.#metadata.add(name);
  }
}
