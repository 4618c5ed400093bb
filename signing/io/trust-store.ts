// The trusted state of a site on its disk: files named by their digest, and one small index that is replaced atomically.
// A crash between any two writes leaves the old index with the old files.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isSha256Hex, sha256Hex } from '../encoding.ts';
import { signingError } from '../errors.ts';
import type { TrustStore } from '../source.ts';
import type { TrustedFiles, TrustedState } from '../trust.ts';
import { readFileIfAny, writeFileAtomic } from './atomic-file.ts';
import { ensureDirectory } from './directory.ts';

const indexSchema = z.strictObject({
  root: z.string(),
  timestamp: z.string().optional(),
  snapshot: z.string().optional(),
  offlineSnapshot: z.string().optional(),
  targets: z.record(z.string(), z.string()),
});

type Index = z.infer<typeof indexSchema>;

/** Keeps the state below `directory`, which is created when needed. */
export function fileTrustStore(directory: string): TrustStore {
  const indexPath = join(directory, 'trust.json');
  const blobPath = (digest: string) => join(directory, 'metadata', digest);

  const read = async (digest: string): Promise<Buffer> => {
    const bytes = isSha256Hex(digest) ? await readFileIfAny(blobPath(digest)) : undefined;
    if (bytes && sha256Hex(bytes) === digest) return bytes;
    throw signingError('trust-state-damaged', `The stored trust state in ${directory} is damaged.`);
  };

  return {
    async load(): Promise<TrustedFiles | undefined> {
      const bytes = await readFileIfAny(indexPath);
      if (!bytes) return undefined;
      const index = parseIndex(bytes, directory);
      const targets = new Map<string, Uint8Array>();
      for (const [role, digest] of Object.entries(index.targets)) targets.set(role, await read(digest));
      return {
        root: await read(index.root),
        ...(index.timestamp === undefined ? {} : { timestamp: await read(index.timestamp) }),
        ...(index.snapshot === undefined ? {} : { snapshot: await read(index.snapshot) }),
        ...(index.offlineSnapshot === undefined ? {} : { offlineSnapshot: await read(index.offlineSnapshot) }),
        targets,
      };
    },

    async save(state: TrustedState): Promise<void> {
      await ensureDirectory(join(directory, 'metadata'));
      const kept = new Set<string>();
      const put = async (bytes: Uint8Array) => {
        const digest = sha256Hex(bytes);
        kept.add(digest);
        if (!(await readFileIfAny(blobPath(digest)))) await writeFileAtomic(blobPath(digest), bytes);
        return digest;
      };
      const targets: Record<string, string> = {};
      for (const [role, file] of state.targets) targets[role] = await put(file.bytes);
      const index: Index = {
        root: await put(state.root.bytes),
        ...(state.timestamp ? { timestamp: await put(state.timestamp.bytes) } : {}),
        ...(state.snapshot ? { snapshot: await put(state.snapshot.bytes) } : {}),
        ...(state.offlineSnapshot ? { offlineSnapshot: await put(state.offlineSnapshot.bytes) } : {}),
        targets,
      };
      await writeFileAtomic(indexPath, JSON.stringify(index));
      await removeUnused(join(directory, 'metadata'), kept);
    },
  };
}

function parseIndex(bytes: Buffer, directory: string): Index {
  try {
    return indexSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw signingError('trust-state-damaged', `The stored trust state in ${directory} is damaged.`, { cause });
  }
}

async function removeUnused(directory: string, kept: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(directory)) if (!kept.has(name)) await rm(join(directory, name), { force: true });
}
