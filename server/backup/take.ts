// Takes a backup while the service goes on: one state of the database first, then the objects that this state needs. The collector of
// garbage waits meanwhile, for as long as the connection that says so is open.
import { type RawBuilder, sql } from 'kysely';
import { hasCode } from '../../signing/index.ts';
import type { Context } from '../context.ts';
import type { Database } from '../db/database.ts';
import { appliedMigrations } from '../db/migrations.ts';
import { serverError } from '../errors.ts';
import { BACKUP_LOCK } from '../releases/garbage.ts';
import { dumpDatabase } from './dump.ts';
import { beginBackup, type Draft } from './folder.ts';
import { type Manifest, newBackupId, purposeOf, type StoredAt, sealManifest } from './manifest.ts';
import { copyObject, eachObject, listObjects, objectsIn } from './objects.ts';
import type { BackupProgress } from './progress.ts';
import { readSealed, type SealedFile, writeSealed } from './sealed-file.ts';

/** When so many objects are lost, the store is not the one that belongs to the database. */
const MOST_LOST = 1000;

export interface Taken {
  readonly manifest: Manifest;
  readonly newObjects: number;
  readonly newBytes: number;
}

/**
 * Takes a backup. Safe to interrupt and to run again: objects that were copied are not copied again.
 *
 * Objects that the service itself lacks are named in the manifest; the rest is backed up.
 * @throws `backup-running`, `backup-lost`, `disk-write`, `directory-unusable`
 */
export async function takeBackup(
  context: Context,
  folder: string,
  version: string,
  progress: BackupProgress = {},
): Promise<Taken> {
  return withoutSweeps(context.db, async () => {
    const at = context.now();
    const id = newBackupId(at);
    await using draft = await beginBackup(folder, id);
    const snapshot = await takeSnapshot(context, draft, id, progress);
    const { listed, ...said } = snapshot;
    const { lost, copied, newObjects, newBytes } = await copyObjects(context, draft, listed, snapshot.total, progress);
    const { bytes, sha256 } = listed;
    const manifest = sealManifest(context.vault, {
      id,
      takenAt: at.toISOString(),
      version,
      schema: [...said.schema],
      rows: said.rows,
      objects: copied,
      lost,
      parts: { database: said.database, objects: { bytes, sha256 } },
    });
    await draft.finish(manifest);
    return { manifest, newObjects, newBytes };
  });
}

/** While `work` runs, no object of the service is removed as garbage, and no other backup is taken. */
async function withoutSweeps<T>(db: Database, work: () => Promise<T>): Promise<T> {
  return db.connection().execute(async connection => {
    const mine = await sql<{ free: boolean }>`select pg_try_advisory_lock(${BACKUP_LOCK}, 1) as free`.execute(
      connection,
    );
    if (!mine.rows[0]?.free) throw serverError('backup-running', 'Another backup of this service is being taken.');
    try {
      // Waits for the sweeps under way, which are short.
      await sql`select pg_advisory_lock(${BACKUP_LOCK}, 0)`.execute(connection);
      return await work();
    } finally {
      // A connection that broke has let go of them already.
      for (const number of [0, 1])
        await unlock(number)
          .execute(connection)
          .catch(() => undefined);
    }
  });
}

function unlock(number: number): RawBuilder<unknown> {
  return sql`select pg_advisory_unlock(${BACKUP_LOCK}, ${sql.lit(number)})`;
}

/** Everything that has to be of one moment. */
async function takeSnapshot(context: Context, draft: Draft, id: string, progress: BackupProgress) {
  await using database = await writeSealed(draft.path('database'), context.vault, purposeOf(id, 'database'));
  await using objects = await writeSealed(draft.path('objects'), context.vault, purposeOf(id, 'objects'));
  const snapshot = context.db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only');
  const { rows, total, schema } = await snapshot.execute(async db => ({
    rows: await dumpDatabase(db, database.write, progress.onRows),
    total: await listObjects({ ...context, db }, objects.write),
    schema: await appliedMigrations(db),
  }));
  const listed: SealedFile = {
    path: draft.path('objects'),
    purpose: purposeOf(id, 'objects'),
    ...(await objects.end()),
  };
  return { rows, total, schema, database: await database.end(), listed };
}

async function copyObjects(
  context: Context,
  draft: Draft,
  listed: SealedFile,
  total: number,
  progress: BackupProgress,
) {
  const copied = { count: 0, bytes: 0 };
  const lost: StoredAt[] = [];
  let newObjects = 0;
  let newBytes = 0;
  const stores = new Map<string, ReturnType<Draft['objects']>>();
  await eachObject(objectsIn(readSealed(listed, context.vault)), async ({ organization, digest }) => {
    const to = stores.get(organization) ?? draft.objects(organization);
    stores.set(organization, to);
    try {
      const { bytes, isNew } = await copyObject(digest, context.storageOf(organization), to);
      copied.count++;
      copied.bytes += bytes;
      newObjects += isNew ? 1 : 0;
      newBytes += isNew ? bytes : 0;
    } catch (error) {
      if (!hasCode(error, 'object-missing', 'object-corrupt')) throw error;
      lost.push({ organization, digest });
      if (lost.length > MOST_LOST) throw tooManyLost(error);
    }
    progress.onObject?.(copied.count + lost.length, total);
  });
  for (const store of stores.values()) await store.flush();
  return { copied, lost, newObjects, newBytes };
}

function tooManyLost(cause: unknown): Error {
  const what = `More than ${MOST_LOST} objects that releases need are missing from the service, or damaged.`;
  return serverError('backup-lost', `${what} No backup was made.`, { cause });
}
