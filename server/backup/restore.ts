// Restores a backup into an empty place: objects first, then the database in one transaction, which is what makes it a service. Until
// then a mark lies in the data directory, with which no service starts; the same command goes on from there.
import { randomUUID } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import type { BlobStore } from '../../bundles/index.ts';
import { ensureDirectory, hasCode, syncDirectory } from '../../signing/index.ts';
import type { Database } from '../db/database.ts';
import { MIGRATIONS, type Migrations, migrate } from '../db/migrations.ts';
import { serverError } from '../errors.ts';
import { keepServerKey, readServerKey, SERVER_KEY, type Vault } from '../vault.ts';
import { isEmptyDatabase } from './catalog.ts';
import type { Backup } from './folder.ts';
import { leapSince } from './leap.ts';
import { loadDatabase, requireKnown } from './load.ts';
import type { StoredAt } from './manifest.ts';
import { MARK, readMark, writeMark } from './mark.ts';
import { copyObject, eachObject, objectDamaged, objectsIn } from './objects.ts';
import type { BackupProgress } from './progress.ts';
import { readSealed } from './sealed-file.ts';
import { beginSecondLife, hasBegunSecondLife } from './second-life.ts';
import { isLost, verifyBackup } from './verify.ts';

/** Where a service will be. */
export interface Target {
  /** Its data directory. */
  readonly directory: string;
  readonly vault: Vault;
  /** The key of the vault, where the data directory is to keep it. */
  readonly serverKey?: Buffer | undefined;
  storageOf(organization: string): BlobStore;
  /** Called once, after the mark was set. The caller closes what it opens. */
  openDatabase(): Promise<Database>;
  now(): Date;
}

/** What an operator may have put there before. */
const ALLOWED: readonly string[] = [SERVER_KEY, 'server.lock', 'admin.token'];

/**
 * Restores a backup, all of it or nothing that a service would start on. Safe to interrupt and to run again.
 *
 * @throws `restore-target`, `backup-damaged`, `backup-numbers`, `schema-newer`, `disk-write`
 */
export async function restoreBackup(
  backup: Backup,
  target: Target,
  progress: BackupProgress = {},
  migrations: Migrations = MIGRATIONS,
): Promise<void> {
  const { manifest } = backup;
  const { directory, vault, serverKey } = target;
  requireKnown(manifest.schema, migrations);
  leapSince(new Date(manifest.takenAt), target.now());
  await ensureDirectory(directory, 0o711);
  const known = await requireEmptyDirectory(directory, manifest.id);
  if (serverKey) await requireNoOtherKey(directory, serverKey);
  await verifyBackup(backup, vault, 'presence');
  const restoring = known ?? randomUUID();
  if (!known) await writeMark(directory, { backup: manifest.id, restoring });
  if (serverKey) await keepServerKey(directory, serverKey);
  const db = await target.openDatabase();
  if (!(await hasBegunSecondLife(db, restoring))) {
    if (!(await isEmptyDatabase(db))) await refuseDatabase(directory, known !== undefined);
    await restoreObjects(backup, target, progress);
    await db.transaction().execute(async within => {
      await loadDatabase(within, readSealed(backup.part('database'), vault), migrations, progress.onRows);
      await migrate(within, migrations);
      const { storageOf, now } = target;
      const context = { db: within, storageOf, vault, log: pino({ level: 'silent' }), feed: NO_FEED, now };
      await beginSecondLife(context, { manifest, restoring });
    });
  }
  await rm(join(directory, MARK));
  await syncDirectory(directory);
}

/** Nothing that is written here names it. */
const NO_FEED = { host: '', port: 0 };

/** @returns which restoring of this backup goes on there; undefined where nothing is */
async function requireEmptyDirectory(directory: string, id: string): Promise<string | undefined> {
  const mark = await readMark(directory);
  if (mark?.backup === id) return mark.restoring;
  if (mark) throw serverError('restore-target', `${directory} holds a part of another backup, ${mark.backup}.`);
  const strange = (await readdir(directory)).find(name => !ALLOWED.includes(name));
  if (strange === undefined) return undefined;
  throw serverError('restore-target', `${directory} is not empty: there is ${strange}.`);
}

async function requireNoOtherKey(directory: string, serverKey: Buffer): Promise<void> {
  const known = await readServerKey(join(directory, SERVER_KEY));
  if (!known || known.equals(serverKey)) return;
  throw serverError('restore-target', `${directory} has another ${SERVER_KEY} already.`);
}

/** Somebody else's. A mark that was set for nothing is taken back. */
async function refuseDatabase(directory: string, wasMarked: boolean): Promise<never> {
  if (!wasMarked) await rm(join(directory, MARK));
  throw serverError('restore-target', 'The database is not empty.');
}

async function restoreObjects(backup: Backup, target: Target, { onObject }: BackupProgress): Promise<void> {
  const { objects, lost } = backup.manifest;
  const stores = new Map<string, BlobStore>();
  let done = 0;
  await eachObject(objectsIn(readSealed(backup.part('objects'), target.vault)), async object => {
    if (isLost(lost, object)) return;
    const to = target.storageOf(object.organization);
    stores.set(object.organization, to);
    await restoreObject(backup, object, to);
    onObject?.(++done, objects.count);
  });
  for (const store of stores.values()) await store.flush();
}

async function restoreObject(backup: Backup, object: StoredAt, to: BlobStore): Promise<void> {
  try {
    await copyObject(object.digest, backup.objects(object.organization), to);
  } catch (error) {
    if (hasCode(error, 'object-missing', 'object-corrupt')) throw objectDamaged(object, error);
    throw error;
  }
}
