// Reads a real directory as manifest entries, in one fixed order. Names are bytes: they need not be UTF-8.
// Refuses what a release cannot carry (devices, sockets, pipes) and links that would lead out of the tree.
import type { BigIntStats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { posix } from 'node:path';
import { bundleError } from './errors.ts';

/** An entry as found on disk. `source` is where a file's content is read from. */
export type FoundEntry = {
  readonly path: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
} & (
  | { readonly type: 'directory' }
  | { readonly type: 'file'; readonly source: Buffer; readonly size: number }
  | { readonly type: 'symlink' | 'hardlink'; readonly target: Buffer }
);

const SLASH = Buffer.from('/');

/**
 * Every entry below `directory`, parents before children, siblings in byte order.
 *
 * @param rootfs true for the tree of a root file system, where `/etc/x` means the tree's own `etc/x`
 * @throws `directory-missing`, `directory-unreadable`, `entry-unsupported`, `link-outside`
 */
export async function* scanTree(directory: string, rootfs: boolean): AsyncGenerator<FoundEntry> {
  const root = Buffer.from(directory);
  const stats = await lstat(root).catch(() => undefined);
  if (!stats?.isDirectory()) throw bundleError('directory-missing', `${directory} is not a directory.`);
  yield* scan(root, Buffer.alloc(0), rootfs, new Map());
}

/** `links` maps device and inode of files with several names to the first name found. */
async function* scan(
  root: Buffer,
  below: Buffer,
  rootfs: boolean,
  links: Map<string, Buffer>,
): AsyncGenerator<FoundEntry> {
  for (const name of await names(join(root, below))) {
    const path = join(below, name);
    const source = join(root, path);
    const stats = await lstat(source, { bigint: true });
    const common = {
      path,
      mode: Number(stats.mode & 0o7777n),
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      mtime: Number(stats.mtimeMs / 1000n),
    };
    if (stats.isDirectory()) {
      yield { type: 'directory', ...common };
      yield* scan(root, path, rootfs, links);
    } else if (stats.isSymbolicLink()) {
      yield { type: 'symlink', ...common, target: await linkTarget(source, path, rootfs) };
    } else if (stats.isFile()) {
      const first = firstName(links, stats, path);
      if (first) yield { type: 'hardlink', ...common, target: first };
      else yield { type: 'file', ...common, source, size: Number(stats.size) };
    } else {
      throw bundleError('entry-unsupported', `${source} is ${kindOf(stats)}.`);
    }
  }
}

async function names(directory: Buffer): Promise<Buffer[]> {
  try {
    return (await readdir(directory, { encoding: 'buffer' })).sort(Buffer.compare);
  } catch (cause) {
    throw bundleError('directory-unreadable', `${directory} cannot be read.`, { cause });
  }
}

async function linkTarget(source: Buffer, path: Buffer, rootfs: boolean): Promise<Buffer> {
  const target = await readlink(source, { encoding: 'buffer' });
  if (rootfs || staysInside(path, target)) return target;
  throw bundleError('link-outside', `${source} links to ${target}, which is outside of the directory.`);
}

/** Lexical check; latin1 keeps every byte as one character. */
export function staysInside(path: Buffer, target: Buffer): boolean {
  const to = target.toString('latin1');
  if (to.startsWith('/')) return false;
  const resolved = posix.normalize(posix.join(posix.dirname(path.toString('latin1')), to));
  return resolved !== '..' && !resolved.startsWith('../');
}

function firstName(links: Map<string, Buffer>, stats: BigIntStats, path: Buffer): Buffer | undefined {
  if (stats.nlink < 2n) return undefined;
  const inode = `${stats.dev}:${stats.ino}`;
  const first = links.get(inode);
  if (!first) links.set(inode, path);
  return first;
}

function kindOf(stats: BigIntStats): string {
  if (stats.isSocket()) return 'a socket';
  if (stats.isFIFO()) return 'a named pipe';
  if (stats.isBlockDevice() || stats.isCharacterDevice()) return 'a device node';
  return 'of an unknown kind';
}

function join(a: Buffer, b: Buffer): Buffer {
  if (a.length === 0) return b;
  return b.length === 0 ? a : Buffer.concat([a, SLASH, b]);
}
