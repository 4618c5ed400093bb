// Files that are either the old one or the new one, whatever is killed in between.
// Used by every room that keeps state on a disk.
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { signingError } from '../errors.ts';
import { ensureDirectory } from './directory.ts';
import { reasonOf } from './system-error.ts';

/**
 * Replaces `path` by `data`: temporary file beside it, fsync, rename, fsync of the directory.
 *
 * @param mode permissions of the new file; secrets are written with 0o600 from their first byte
 * @throws `disk-write`, `directory-unusable`
 */
export async function writeFileAtomic(path: string, data: Uint8Array | string, mode = 0o644): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  await ensureDirectory(dirname(path));
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw signingError('disk-write', `Cannot write ${path}: ${reasonOf(cause)}.`, { cause });
  }
}

/** Makes renames and new names inside `path` durable. */
export async function syncDirectory(path: string): Promise<void> {
  let directory: FileHandle | undefined;
  try {
    directory = await open(path, 'r');
    await directory.sync();
  } finally {
    await directory?.close();
  }
}

/** The file's bytes, or undefined where there is none. Other failures are thrown. */
export async function readFileIfAny(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
