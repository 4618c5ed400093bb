// A blob store in a directory: `ab/abcdef…`, two levels, so that no folder grows past a few thousand names.
import { randomBytes } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isSha256Hex, readFileIfAny, signingError } from '../../signing/index.ts';
import { bundleError } from '../errors.ts';
import { flushFileSystem } from '../flush.ts';
import type { BlobStore } from './store.ts';
import { isIntact, requireIntact } from './verify.ts';

/** Nobody writes an object for so long. */
const LEFTOVER_MS = 3600_000;

/** Keeps objects below `directory`, which is created when needed. */
export function filesystemStore(directory: string): BlobStore {
  const folders = new Set<string>();
  const pathOf = (digest: string) => {
    if (!isSha256Hex(digest)) throw bundleError('object-missing', `${JSON.stringify(digest)} names no object.`);
    return join(directory, digest.slice(0, 2), digest);
  };
  const missing = (digest: string) => bundleError('object-missing', `The object ${digest} is not in ${directory}.`);
  const read = async (digest: string) => {
    const bytes = await readFileIfAny(pathOf(digest));
    if (bytes) return bytes;
    throw missing(digest);
  };
  const makeFolder = async (path: string) => {
    if (folders.has(path)) return;
    await mkdir(path, { recursive: true });
    await removeLeftovers(path);
    folders.add(path);
  };

  return {
    read,
    size: async digest => (await stat(pathOf(digest)).catch(() => undefined))?.size,
    get: async digest => requireIntact(digest, await read(digest)),

    async stream(digest, range) {
      const file = await open(pathOf(digest)).catch(() => undefined);
      if (!file) throw missing(digest);
      const part = range ? { start: range.start, end: range.end - 1 } : {};
      return createReadStream('', { fd: file, ...part });
    },

    async put(digest, bytes) {
      requireIntact(digest, bytes);
      const path = pathOf(digest);
      const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
      try {
        if (existsSync(path) && isIntact(digest, await readFile(path))) return;
        await makeFolder(dirname(path));
        await writeFile(temporary, bytes, { flag: 'wx' });
        await rename(temporary, path);
      } catch (cause) {
        folders.delete(dirname(path));
        await rm(temporary, { force: true }).catch(() => undefined);
        const { code } = cause as NodeJS.ErrnoException;
        throw signingError('disk-write', `Cannot write ${path}: ${code}.`, { cause });
      }
    },

    async flush() {
      try {
        await mkdir(directory, { recursive: true });
        await flushFileSystem(directory);
      } catch (cause) {
        throw signingError('disk-write', `What was written to ${directory} could not be made durable.`, { cause });
      }
    },

    remove: digest => rm(pathOf(digest), { force: true }),

    async *list() {
      for (const prefix of await readdir(directory).catch(() => [])) {
        for (const digest of await readdir(join(directory, prefix)).catch(() => [])) {
          const stats = isSha256Hex(digest) ? await stat(pathOf(digest)).catch(() => undefined) : undefined;
          if (stats) yield { digest, size: stats.size, storedMs: stats.mtimeMs };
        }
      }
    },
  };
}

/** What processes were writing when they were killed. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.tmp')) continue;
    const stats = await stat(join(folder, name)).catch(() => undefined);
    if (stats && Date.now() - stats.mtimeMs > LEFTOVER_MS) await rm(join(folder, name), { force: true });
  }
}
