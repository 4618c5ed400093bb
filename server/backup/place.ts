// Opens what backup commands work on: the database, the objects and the key of a service, which runs beside them or does not; and the
// empty place of one that will be.
import { join, resolve } from 'node:path';
import { pino } from 'pino';
import { ensureDirectory, fromBase64url, tryLock } from '../../signing/index.ts';
import type { Context } from '../context.ts';
import { type Connection, openDatabase } from '../db/database.ts';
import { hasCluster, runningPostgres, startEmbeddedPostgres } from '../db/embedded-postgres.ts';
import { databaseOutage } from '../db/outage.ts';
import { requireDatabase } from '../db/reachable.ts';
import { serverError } from '../errors.ts';
import type { ServerOptions } from '../main.ts';
import { openStorage } from '../storage.ts';
import { readServerKey, SERVER_KEY, vaultOf } from '../vault.ts';
import type { Target } from './restore.ts';

/** Where a service is, or will be. */
export interface Place extends Pick<ServerOptions, 'directory' | 'databaseUrl' | 's3' | 'serverKey'> {
  /** A file with the server key, that is not in the data directory. */
  readonly keyFile?: string | undefined;
}

/**
 * The service of a place, beside the process that runs it, if any.
 *
 * @throws `data-directory` where there is none, `backup-key`, `database-unreachable`, `database-away`
 */
export async function openService(place: Place, cleanup: AsyncDisposableStack): Promise<Context> {
  const directory = resolve(place.directory);
  const vault = vaultOf(await serverKeyOf(place));
  const db = openDatabase(await connectionOf(place, directory, cleanup));
  cleanup.defer(() => db.destroy());
  const storageOf = await openStorage(directory, place.s3);
  const feed = { host: '', port: 0 };
  return { db, storageOf, vault, log: pino({ level: 'silent' }), feed, now: () => new Date() };
}

/** The place of a service that will be; nobody else has it until the stack is disposed of. @throws `server-running`, `backup-key` */
export async function openTarget(place: Place, cleanup: AsyncDisposableStack): Promise<Target> {
  const directory = resolve(place.directory);
  const serverKey = await serverKeyOf(place);
  await ensureDirectory(directory, 0o711);
  await takeLock(directory, cleanup);
  return {
    directory,
    vault: vaultOf(serverKey),
    serverKey: place.keyFile === undefined ? undefined : serverKey,
    storageOf: await openStorage(directory, place.s3),
    openDatabase: async () => {
      const db = openDatabase(await emptyConnection(place, directory, cleanup));
      cleanup.defer(() => db.destroy());
      return db;
    },
    now: () => new Date(),
  };
}

/** @throws `backup-key` where nothing names it */
export async function serverKeyOf({ directory, serverKey, keyFile }: Place): Promise<Buffer> {
  if (keyFile === undefined && serverKey !== undefined) return fromBase64url(serverKey);
  const path = keyFile ?? join(directory, SERVER_KEY);
  const key = await readServerKey(path);
  if (key) return key;
  throw serverError('backup-key', `There is no server key: no ${path}, and ROLLOVER_SERVER_KEY is not set.`);
}

async function connectionOf(place: Place, directory: string, cleanup: AsyncDisposableStack): Promise<Connection> {
  if (place.databaseUrl !== undefined) return requiredDatabase(place.databaseUrl);
  const postgres = join(directory, 'postgres');
  if (!(await hasCluster(postgres))) throw serverError('data-directory', `${directory} has no database.`);
  const lock = await tryLock(join(directory, 'server.lock'));
  if (lock) {
    cleanup.defer(() => lock.release());
    return embedded(postgres, cleanup);
  }
  const connection = await runningPostgres(postgres);
  if (connection) return connection;
  throw serverError('database-away', `The service of ${directory} is starting or stopping.`);
}

async function emptyConnection(place: Place, directory: string, cleanup: AsyncDisposableStack): Promise<Connection> {
  if (place.databaseUrl !== undefined) return requiredDatabase(place.databaseUrl);
  return embedded(join(directory, 'postgres'), cleanup);
}

async function requiredDatabase(databaseUrl: string): Promise<Connection> {
  await requireDatabase(databaseUrl);
  return { connectionString: databaseUrl };
}

async function embedded(directory: string, cleanup: AsyncDisposableStack): Promise<Connection> {
  const postgres = await startEmbeddedPostgres(directory);
  cleanup.defer(() => postgres.stop());
  return postgres.connection;
}

async function takeLock(directory: string, cleanup: AsyncDisposableStack): Promise<void> {
  const lock = await tryLock(join(directory, 'server.lock'));
  if (!lock) throw serverError('server-running', `Another service uses ${directory}.`);
  cleanup.defer(() => lock.release());
}

/** A database that goes away meanwhile is no fault of the backup. */
export async function withOutage<T>(work: Promise<T>): Promise<T> {
  return work.catch(error => {
    throw databaseOutage(error) ?? error;
  });
}
