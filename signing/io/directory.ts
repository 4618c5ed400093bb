// Makes directories. Node's own `mkdir` with `recursive` spins for ever where the kernel says that a parent is missing
// although it is there, as it does below /proc; here every folder is tried once.
import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { signingError } from '../errors.ts';
import { reasonOf } from './system-error.ts';

/**
 * Makes a directory and its parents where they are missing.
 *
 * @param mode of the directories that are made; what is there stays as it is
 * @throws `directory-unusable`
 */
export async function ensureDirectory(path: string, mode = 0o777): Promise<void> {
  try {
    await make(resolve(path), mode);
  } catch (cause) {
    throw signingError('directory-unusable', `The directory ${path} cannot be used: ${reasonOf(cause)}.`, { cause });
  }
}

async function make(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, mode);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && dirname(path) !== path) {
      await make(dirname(path), mode);
      await mkdirUnlessThere(path, mode);
    } else if (!(await isDirectory(path))) throw error;
  }
}

/** Somebody else may have made it in between. */
async function mkdirUnlessThere(path: string, mode: number): Promise<void> {
  await mkdir(path, mode).catch(async error => {
    if (!(await isDirectory(path))) throw error;
  });
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}
