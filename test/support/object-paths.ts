// Stored objects as files: what a store on disk, or a stick, has.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Paths of the objects below a directory; each file is named by its digest. */
export async function objectPaths(directory: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true });
  return names.filter(name => /[0-9a-f]{64}$/.test(name)).map(name => join(directory, name));
}
