// A published release as an ordinary tar, so that nobody is locked in: any tool can read it, and `archive:` in a release file
// takes it back.
import { mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from 'tar';
import { type BlobStore, filesystemStore, syncSegments, unpackRelease } from '../../bundles/index.ts';
import { serverError } from '../errors.ts';
import type { ApiClient } from './api-client.ts';
import { apiObjects } from './api-source.ts';
import { publishedRelease } from './published.ts';

export interface ExportedTar {
  readonly product: string;
  readonly version: string;
  readonly files: number;
  readonly tarBytes: number;
}

/**
 * Fetches, opens and unpacks a release, and writes it as a tar with one directory a component.
 *
 * @throws `not-found`, `file-exists`, and what fetching and opening throw
 */
export async function exportTar(
  api: ApiClient,
  product: string,
  version: string,
  path: string,
  onProgress: (doneBytes: number, totalBytes: number) => void,
): Promise<ExportedTar> {
  if (await stat(path).catch(() => undefined)) throw serverError('file-exists', `${path} exists already.`);
  const published = await publishedRelease(api, product, version);
  const { manifest } = await published.open();
  const work = await mkdtemp(join(tmpdir(), 'rollover-export-'));
  try {
    const segments: BlobStore = filesystemStore(join(work, 'objects'));
    await syncSegments(manifest, [apiObjects(api)], segments, {
      onProgress: ({ doneBytes, totalBytes }) => onProgress(doneBytes, totalBytes),
    });
    const directory = join(work, 'release');
    const owners = process.getuid?.() === 0;
    await unpackRelease({ manifest, manifestDigest: published.manifest, segments, directory, owners });
    const partial = `${path}.partial`;
    // Each directory with all that is in it: a reader that comes back to one would change its time.
    const paths = await readdir(directory, { recursive: true });
    await create({ file: partial, cwd: directory, strict: true, noDirRecurse: true }, paths.sort(byParts));
    await rename(partial, path);
    const files = manifest.components
      .flatMap(({ entries }) => [...entries])
      .filter(entry => entry.type === 'file').length;
    return { product, version, files, tarBytes: (await stat(path)).size };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function byParts(a: string, b: string): number {
  const [x, y] = [a.replaceAll('/', '\0'), b.replaceAll('/', '\0')];
  return x < y ? -1 : 1;
}
