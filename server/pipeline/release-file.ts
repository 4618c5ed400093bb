// `release.yaml` on the pipeline's machine: read, checked, its directories found, its archives unpacked to where they can be
// packed from.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { bundleError, type Component, parseReleaseFile, type ReleaseFile, scanTree } from '../../bundles/index.ts';
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
  const file = parseReleaseFile(await readYaml(path), path);
  const base = dirname(resolve(path));
  const unpacked: string[] = [];
  const dispose = async () => {
    for (const directory of unpacked) await rm(directory, { recursive: true, force: true });
  };
  try {
    const components: LocalComponent[] = [];
    for (const component of file.components) {
      if (component.archive === undefined) {
        components.push({ ...component, directory: resolve(base, component.directory as string) });
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
    const why = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : `cannot be read: ${cause}`;
    throw bundleError('release-file', `${path} ${why}.`, { cause });
  }
}
