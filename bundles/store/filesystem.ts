// A blob store in a directory: `ab/abcdef…`, two levels, so that no folder grows past a few thousand names.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isSha256Hex, readFileIfAny, sha256Hex, writeFileAtomic } from '../../signing/index.ts';
import { bundleError } from '../errors.ts';
import type { BlobStore } from './store.ts';

/** Keeps objects below `directory`, which is created when needed. */
export function filesystemStore(directory: string): BlobStore {
  const pathOf = (digest: string) => {
    if (!isSha256Hex(digest)) throw bundleError('object-missing', `${JSON.stringify(digest)} names no object.`);
    return join(directory, digest.slice(0, 2), digest);
  };
  const size = async (digest: string) => (await stat(pathOf(digest)).catch(() => undefined))?.size;

  return {
    size,

    async get(digest) {
      const bytes = await readFileIfAny(pathOf(digest));
      if (!bytes) throw bundleError('object-missing', `The object ${digest} is not in ${directory}.`);
      return verified(digest, bytes);
    },

    async put(digest, bytes) {
      verified(digest, bytes);
      const known = await readFileIfAny(pathOf(digest));
      if (known && isIntact(digest, known)) return;
      await writeFileAtomic(pathOf(digest), bytes);
    },

    async *list() {
      for (const prefix of await readdir(directory).catch(() => [])) {
        for (const digest of await readdir(join(directory, prefix)).catch(() => [])) {
          const bytes = isSha256Hex(digest) ? await size(digest) : undefined;
          if (bytes !== undefined) yield { digest, size: bytes };
        }
      }
    },
  };
}

/** The same bytes, when they are what their name says. */
function verified<T extends Uint8Array>(digest: string, bytes: T): T {
  if (isIntact(digest, bytes)) return bytes;
  throw bundleError('object-corrupt', `The object ${digest} is damaged.`);
}

function isIntact(digest: string, bytes: Uint8Array): boolean {
  return sha256Hex(bytes) === digest;
}
