// Runs the PostgreSQL that npm brings, on a Unix socket of its own: the default database of the hosted service.
// It refuses to run as root, so root starts it as `nobody`. Production uses DATABASE_URL instead.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { chmod, chown, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { ensureDirectory } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import { othersCanEnter, postgresBinaries } from './postgres-binaries.ts';

const NOBODY = 65534;
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
const USER = 'rollover';

export interface RunningPostgres {
  /** For `pg`: the socket directory, user and database. */
  readonly connection: { readonly host: string; readonly user: string; readonly database: string };
  /** Resolves when it has ended without having been told to. */
  readonly lost: Promise<Error>;
  /** Fast shutdown: sessions are ended, everything committed is kept. */
  stop(): Promise<void>;
}

/**
 * Starts PostgreSQL on a data directory, which is created when needed; a server left over by a crash is stopped first. The
 * caller holds the lock of the directory: nobody else's server is ever stopped.
 *
 * @throws `database-missing`, `database-start`, `data-directory`
 */
export async function startEmbeddedPostgres(directory: string): Promise<RunningPostgres> {
  const asNobody = process.getuid?.() === 0;
  const identity = asNobody ? { uid: NOBODY, gid: NOBODY } : {};
  const cluster = resolve(directory, 'cluster');
  const logPath = join(directory, 'postgres.log');
  await ensureDirectory(directory);
  if (asNobody) await handToNobody(directory);
  const { initdb, postgres, libraryPath } = await postgresBinaries(directory, asNobody);
  // Nothing of our own environment: it may hold keys, and other processes of that user can read it.
  const options = { ...identity, env: { PATH: process.env['PATH'], LC_ALL: 'C', LD_LIBRARY_PATH: libraryPath } };
  let started: Awaited<ReturnType<typeof launch>> | undefined;
  try {
    if (!(await hasCluster(directory))) await createCluster(initdb, cluster, options);
    await stopLeftOver(cluster);
    started = await launch(postgres, cluster, logPath, options);
    await untilReady(started.host, started.child);
    await createDatabase(started.host);
  } catch (cause) {
    await started?.stop();
    const what = `The embedded PostgreSQL did not start (${firstLine(cause)}); its log is ${logPath}.`;
    throw serverError('database-start', what, { cause });
  }
  const { host, lost, stop } = started;
  return { connection: { host, user: USER, database: USER }, lost, stop };
}

/** How to reach the PostgreSQL that another process runs on a data directory; undefined where none runs. */
export async function runningPostgres(directory: string): Promise<RunningPostgres['connection'] | undefined> {
  const host = (await postmasterLines(resolve(directory, 'cluster')))[SOCKET_LINE];
  return host ? { host, user: USER, database: USER } : undefined;
}

/** Whether a data directory has a database. */
export function hasCluster(directory: string): Promise<boolean> {
  return exists(join(directory, 'cluster', 'PG_VERSION'));
}

interface RunOptions {
  readonly uid?: number;
  readonly gid?: number;
  readonly env: NodeJS.ProcessEnv;
}

/** Begins the name of a directory for the socket: short, because the path of a socket is. */
const SOCKET_DIRECTORY = join(tmpdir(), 'rollover-pg-');

async function launch(postgres: string, cluster: string, logPath: string, options: RunOptions) {
  const host = await mkdtemp(SOCKET_DIRECTORY);
  if (options.uid !== undefined) await chown(host, NOBODY, NOBODY);
  const log = openSync(logPath, 'a', 0o600);
  const args = ['-D', cluster, '-c', 'listen_addresses=', '-c', `unix_socket_directories=${host}`];
  // In a process group of its own: an interrupt from the terminal is for us, and the database goes last.
  const child = spawn(postgres, args, { ...options, stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  child.once('error', () => undefined);
  const ended = once(child, 'exit');
  let stopping = false;
  const lost = new Promise<Error>(resolve => {
    ended.then(([code, signal]) => {
      if (!stopping) resolve(serverError('database-start', `The embedded PostgreSQL ended (${signal ?? code}).`));
    });
  });
  const stop = async () => {
    stopping = true;
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGINT');
    const timer = setTimeout(() => child.kill('SIGQUIT'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
    await rm(host, { recursive: true, force: true });
  };
  return { host, child, lost, stop };
}

/** Data lies below a directory of root; nobody has to be able to pass through it, and to own its own part. */
async function handToNobody(directory: string): Promise<void> {
  if (!(await othersCanEnter(dirname(resolve(directory))))) {
    const why = 'PostgreSQL refuses to run as root, and the user nobody cannot enter it';
    throw serverError('data-directory', `${directory} cannot hold the embedded database: ${why}.`);
  }
  await chown(directory, NOBODY, NOBODY);
  await chmod(directory, 0o755);
}

async function createCluster(initdb: string, cluster: string, options: RunOptions): Promise<void> {
  const partial = `${cluster}.partial`;
  await rm(partial, { recursive: true, force: true });
  const flags = ['-D', partial, '-U', USER, '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-instructions'];
  await promisify(execFile)(initdb, flags, options);
  await rename(partial, cluster);
}

/** Where `postmaster.pid` names the directory of the socket, from 0 (PostgreSQL: miscadmin.h, LOCK_FILE_LINE_SOCKET_DIR). */
const SOCKET_LINE = 4;

/** Ends a PostgreSQL that outlived a killed service: two servers on one directory would corrupt it. Its socket goes too. */
async function stopLeftOver(cluster: string): Promise<void> {
  const lines = await postmasterLines(cluster);
  await stopPostmaster(Number(lines[0]), cluster);
  const host = lines[SOCKET_LINE] ?? '';
  if (host.startsWith(SOCKET_DIRECTORY)) await rm(host, { recursive: true, force: true });
}

async function postmasterLines(cluster: string): Promise<readonly string[]> {
  const pidFile = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '');
  return pidFile.split('\n');
}

async function stopPostmaster(pid: number, cluster: string): Promise<void> {
  if (!Number.isSafeInteger(pid) || pid <= 1) return;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  if (!commandLine.split('\0').includes(cluster)) return;
  process.kill(pid, 'SIGINT');
  const deadline = Date.now() + STOP_TIMEOUT_MS;
  while (Date.now() < deadline && (await exists(`/proc/${pid}`))) await sleep(50);
}

async function untilReady(host: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const client = new Client({ host, user: USER, database: 'postgres' });
    try {
      await client.connect();
      return;
    } catch (error) {
      if (child.exitCode !== null || Date.now() > deadline) throw error;
      await sleep(50);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

async function createDatabase(host: string): Promise<void> {
  const client = new Client({ host, user: USER, database: 'postgres' });
  await client.connect();
  try {
    const found = await client.query('select 1 from pg_database where datname = $1', [USER]);
    if (found.rowCount === 0) await client.query(`create database ${USER}`);
  } finally {
    await client.end();
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

function firstLine(cause: unknown): string {
  const text = (cause as { stderr?: string }).stderr || String((cause as Error).message);
  return text.split('\n')[0] ?? '';
}
