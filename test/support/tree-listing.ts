// A directory as lines that compare: everything that a release carries, with the digest of what is in each file.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

/** Name, mode, number of names, time and content of every entry below `root`, sorted. */
export async function listTree(root: string): Promise<string[]> {
  const lines: string[] = [];
  for (const name of await readdir(root, { recursive: true, encoding: 'latin1' })) {
    const path = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name, 'latin1')]);
    const stats = await lstat(path);
    const content = stats.isSymbolicLink() ? await readlink(path) : stats.isFile() ? await digest(path) : '';
    lines.push([name, stats.mode, stats.nlink, Math.floor(stats.mtimeMs / 1000), content].join('|'));
  }
  return lines.sort();
}

async function digest(path: Buffer): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
