// `release.yaml` on the pipeline's machine: read, checked, its directories found, its archives unpacked to where they can be
// packed from.
import { lstat, mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { bundleError, type Component, parseReleaseFile, type ReleaseFile, scanTree } from '../../bundles/index.ts';
import { hasCode, reasonOf } from '../../signing/index.ts';
import { unpackArchive } from './unpack-archive.ts';

/** A component whose directory is on this machine. */
export type LocalComponent = Component & { readonly directory: string };

export interface LocalRelease extends Omit<ReleaseFile, 'components'> {
  readonly components: readonly LocalComponent[];
  /** Removes what archives were unpacked to. */
  dispose(): Promise<void>;
}

/** @throws `release-file`, `directory-missing`, `archive-unreadable` */
export async function openReleaseFile(path: string): Promise<LocalRelease> {
  const file = parsed(await readYaml(path), path);
  const base = dirname(resolve(path));
  const unpacked: string[] = [];
  const dispose = async () => {
    for (const directory of unpacked) await rm(directory, { recursive: true, force: true });
  };
  try {
    const components: LocalComponent[] = [];
    for (const component of file.components) {
      if (component.archive === undefined) {
        components.push({ ...component, directory: await realDirectory(resolve(base, component.directory as string)) });
        continue;
      }
      const directory = await mkdtemp(join(tmpdir(), 'rollover-archive-'));
      unpacked.push(directory);
      await unpackArchive(resolve(base, component.archive), directory);
      components.push({ ...component, directory });
    }
    return { ...file, components, dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** The files that nodes boot are there: found out before anything is packed. @throws `release-file` */
export async function requireImageFiles({ components }: LocalRelease): Promise<void> {
  for (const component of components) {
    if (component.kind !== 'microos') continue;
    for (const path of [component.kernel, component.initrd]) {
      const stats = await lstat(join(component.directory, path)).catch(() => undefined);
      if (!stats?.isFile()) throw bundleError('release-file', `The component ${component.name} has no file ${path}.`);
    }
  }
}

/** Bytes of all files. Walking first finds what cannot be packed before anything is sent. */
export function measure(release: LocalRelease): number {
  let total = 0;
  for (const component of release.components) {
    for (const entry of scanTree(component.directory, component)) if (entry.type === 'file') total += entry.size;
  }
  return total;
}

async function readYaml(path: string): Promise<unknown> {
  try {
    return parseYaml(await readFile(path, 'utf8'));
  } catch (cause) {
    throw bundleError('release-file', `${path} cannot be read: ${reasonOf(cause)}.`, { cause });
  }
}

/** Says which file to correct, and what YAML makes of a version such as 5.2. */
function parsed(value: unknown, path: string): ReleaseFile {
  try {
    return parseReleaseFile(value, path);
  } catch (error) {
    if (!hasCode(error, 'release-file')) throw error;
    const unquoted = /expected string, received (number|boolean|Date)/.test(error.message);
    const quote = unquoted ? 'Put the value in quotes: YAML takes it for something else than text. ' : '';
    const hint = `${quote}Correct ${path}; \`rollover release publish --help\` shows an example.`;
    throw bundleError('release-file', error.message, { cause: error, hint });
  }
}

/** The directory of a component may be a link to it. What is missing is reported under the name it was given. */
async function realDirectory(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}
