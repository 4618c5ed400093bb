// Reads a real directory as manifest entries, in one fixed order. Names are bytes: they need not be UTF-8.
// Refuses what a release cannot carry (devices, sockets, pipes) and links that would lead out of the tree.
import { type BigIntStats, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { bundleError } from './errors.ts';
import { findEscapingLink } from './links.ts';
import type { DirectoryEntry, FileEntry, LinkEntry, Xattr } from './manifest.ts';
import type { FileState } from './workers/jobs.ts';
import { readXattrs, type XattrTable } from './xattrs.ts';

/** A file as found on disk; its chunks are not known yet. */
export type FoundFile = Omit<FileEntry, 'firstChunk' | 'chunkCount'> & {
  readonly source: Buffer;
  readonly seen: FileState;
};

export type FoundEntry = DirectoryEntry | LinkEntry | FoundFile;

export interface TreeOptions {
  /** True for the tree of a root file system, where `/etc/x` means the tree's own `etc/x`. */
  readonly rootfs: boolean;
  /** Reads extended attributes too; needs `getfattr` of Debian's package `attr`. */
  readonly xattrs: boolean;
}

const SLASH = Buffer.from('/');
const NO_XATTRS: readonly Xattr[] = [];
const BLOCK_BYTES = 512;

/**
 * Every entry below `directory`, parents before children, siblings in byte order. Synchronous inside: it is one small system
 * call after the other.
 *
 * @throws `directory-missing`, `directory-unreadable`, `entry-unsupported`, `link-outside`, `xattr-tool-missing`
 */
export function* scanTree(directory: string, options: TreeOptions): Generator<FoundEntry> {
  const root = Buffer.from(directory);
  if (!lstatSync(root, { throwIfNoEntry: false })?.isDirectory()) {
    throw bundleError('directory-missing', `${directory} is not a directory.`);
  }
  const xattrs = options.xattrs ? readXattrs(directory) : new Map();
  const scan = new Scan(root, xattrs);
  yield* scan.below(Buffer.alloc(0));
  // Only now are all links known that a link may lead through.
  const escaping = options.rootfs ? undefined : findEscapingLink(scan.symlinks);
  if (escaping === undefined) return;
  const names = `${directory}/${escaping} links to ${scan.symlinks.get(escaping)}`;
  throw bundleError('link-outside', `${names}, which is outside of the directory.`);
}

class Scan {
  /** Symbolic links by path; bytes as latin1. */
  readonly symlinks = new Map<string, string>();
  readonly #root: Buffer;
  readonly #xattrs: XattrTable;
  /** Device and inode of files with several names, to the first name found. */
  readonly #links = new Map<string, Buffer>();

  constructor(root: Buffer, xattrs: XattrTable) {
    this.#root = root;
    this.#xattrs = xattrs;
  }

  *below(directory: Buffer): Generator<FoundEntry> {
    for (const name of names(join(this.#root, directory))) {
      const path = join(directory, name);
      const entry = this.#entry(path);
      yield entry;
      if (entry.type === 'directory') yield* this.below(path);
    }
  }

  #entry(path: Buffer): FoundEntry {
    const source = join(this.#root, path);
    const stats = lstatSync(source, { bigint: true });
    const common = {
      path,
      mode: Number(stats.mode & 0o7777n),
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      mtime: Math.floor(Number(stats.mtimeMs) / 1000),
      xattrs: this.#xattrs.get(path.toString('latin1')) ?? NO_XATTRS,
    };
    if (stats.isDirectory()) return { type: 'directory', ...common };
    if (stats.isSymbolicLink()) return { type: 'symlink', ...common, target: this.#linkTarget(source, path) };
    if (!stats.isFile()) throw bundleError('entry-unsupported', `${source} is ${kindOf(stats)}.`);
    const first = this.#firstName(stats, path);
    if (first) return { type: 'hardlink', ...common, target: first };
    const size = Number(stats.size);
    const sparse = Number(stats.blocks) * BLOCK_BYTES < size;
    return {
      type: 'file',
      ...common,
      size,
      sparse,
      source,
      seen: [stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs],
    };
  }

  #linkTarget(source: Buffer, path: Buffer): Buffer {
    const target = readlinkSync(source, { encoding: 'buffer' });
    this.symlinks.set(path.toString('latin1'), target.toString('latin1'));
    return target;
  }

  #firstName(stats: BigIntStats, path: Buffer): Buffer | undefined {
    if (stats.nlink < 2n) return undefined;
    const inode = `${stats.dev}:${stats.ino}`;
    const first = this.#links.get(inode);
    if (!first) this.#links.set(inode, path);
    return first;
  }
}

function names(directory: Buffer): Buffer[] {
  try {
    return readdirSync(directory, { encoding: 'buffer' }).sort(Buffer.compare);
  } catch (cause) {
    throw bundleError('directory-unreadable', `${directory} cannot be read.`, { cause });
  }
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
