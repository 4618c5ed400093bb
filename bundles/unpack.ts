// Unpacks a release into a folder: verified bytes only, through a staging folder and one rename. Segments are opened by all
// cores; what was written before an interruption is not written again.
import {
  chmodSync,
  closeSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { RolloverError, signingError, syncDirectory } from '../signing/index.ts';
import { Bounded } from './bounded.ts';
import { flushFileSystem } from './flush.ts';
import type { DirectoryEntry, Entry, FileEntry, LinkEntry, Manifest } from './manifest.ts';
import type { BlobStore } from './store/store.ts';
import { type Placed, type UnpackPlan, unpackPlan } from './unpack-plan.ts';
import { openProgress, type UnpackProgress } from './unpack-progress.ts';
import { fileTime } from './workers/file-time.ts';
import { type WorkerPool, workerPool } from './workers/pool.ts';
import { writeXattrs } from './xattrs.ts';

/** Segments on their way to a worker: it never waits for the next one. */
const AHEAD = 2;

export interface UnpackInput {
  readonly manifest: Manifest;
  /** The manifest's name: what an interrupted run is recognized by. */
  readonly manifestDigest: string;
  readonly segments: BlobStore;
  /** The folder that appears, whole, when all is written. */
  readonly directory: string;
  /** Sets owners as the vendor packed them; needs root. */
  readonly owners: boolean;
  onProgress?(plainBytes: number): void;
  /** Threads to use; all cores by default. */
  readonly threads?: number;
}

/**
 * Unpacks a release. Does nothing when `directory` is already there; goes on where an interrupted run stopped.
 *
 * @throws `path-unsafe`, `segment-corrupt`, `object-missing`, `disk-write`, `xattr-tool-missing`
 */
export async function unpackRelease(input: UnpackInput): Promise<void> {
  const { manifest, directory } = input;
  if (await stat(directory).catch(() => undefined)) return;
  const plan = unpackPlan(manifest);
  const staging = `${directory}.staging`;
  let progress: UnpackProgress | undefined;
  try {
    await mkdir(dirname(directory), { recursive: true });
    progress = await openProgress(`${directory}.progress`, input.manifestDigest, manifest.segments.length);
    if (progress.isNew) await removeTree(staging);
    await mkdir(staging, { recursive: true, mode: 0o700 });
    const tree = new Tree(staging, plan, input.owners);
    tree.makeDirectories(manifest);
    const pool = workerPool(input.threads ?? availableParallelism());
    try {
      await writeSegments(input, plan, tree, pool, progress);
    } finally {
      await pool.close();
    }
    tree.finish(manifest);
    await flushFileSystem(staging);
    await rename(staging, directory);
    await syncDirectory(dirname(directory));
  } catch (error) {
    throw error instanceof RolloverError ? error : diskError(staging, error);
  } finally {
    await progress?.close();
  }
  await progress.remove();
}

/** Removes a folder, also one whose directories their owner made read-only. */
export async function removeTree(path: string): Promise<void> {
  const open = (directory: string) => {
    if (!lstatSync(directory, { throwIfNoEntry: false })?.isDirectory()) return;
    chmodSync(directory, 0o700);
    for (const entry of readdirSync(directory, { withFileTypes: true, encoding: 'latin1' })) {
      if (entry.isDirectory()) open(join(directory, entry.name));
    }
  };
  await rm(path, { recursive: true, force: true }).catch(error => {
    if (error.code !== 'EACCES' && error.code !== 'EPERM') throw error;
    open(path);
    return rm(path, { recursive: true, force: true });
  });
}

async function writeSegments(
  input: UnpackInput,
  plan: UnpackPlan,
  tree: Tree,
  pool: WorkerPool,
  progress: UnpackProgress,
): Promise<void> {
  const underWay = new Bounded(AHEAD * pool.size);
  let plainBytes = 0;
  let number = 0;
  for (const { name, key, plainSize } of input.manifest.segments) {
    const segment = number++;
    if (progress.isDone(segment)) continue;
    await underWay.start(async () => {
      const writes = plan.writesOf(segment, file => tree.pathOf(file), input.owners);
      if (writes.length > 0) {
        const sealed = ownBytes(await input.segments.read(name));
        await pool.run({ kind: 'write', name, key: ownBytes(key), plainSize, sealed, writes });
      }
      progress.done(segment);
      for (const { pieces } of writes) for (let i = 2; i < pieces.length; i += 3) plainBytes += pieces[i] as number;
      input.onProgress?.(plainBytes);
    });
  }
  await underWay.drain();
}

/**
 * Bytes that can go to a worker: all of a buffer, and no other's. A view would take along all that it is a view of, such as the
 * whole manifest.
 */
function ownBytes(bytes: Buffer): Uint8Array<ArrayBuffer> {
  const { buffer, byteLength } = bytes;
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength
    ? new Uint8Array(buffer)
    : new Uint8Array(bytes);
}

/** The staging folder. Small system calls one after the other, so they are synchronous. */
class Tree {
  readonly #staging: string;
  readonly #plan: UnpackPlan;
  readonly #owners: boolean;

  constructor(staging: string, plan: UnpackPlan, owners: boolean) {
    this.#staging = staging;
    this.#plan = plan;
    this.#owners = owners;
  }

  pathOf({ component, entry }: Placed<Entry>): Buffer {
    return Buffer.concat([Buffer.from(`${this.#staging}/${component}/`), entry.path]);
  }

  /** All directories, open to their owner until their content is in them. */
  makeDirectories({ components }: Manifest): void {
    for (const { name } of components) makeDirectory(Buffer.from(join(this.#staging, name)));
    for (const directory of this.#plan.directories) makeDirectory(this.pathOf(directory));
  }

  /** Links only now, so that nothing was ever written through one; then what must not change any more: owners, modes, times. */
  finish({ components }: Manifest): void {
    for (const file of this.#plan.files) this.#finishFile(file);
    for (const link of this.#plan.links) this.#makeLink(link);
    for (const { name, entries } of components) writeXattrs(join(this.#staging, name), entries);
    for (const directory of this.#plan.directories.toReversed()) this.#finishDirectory(directory);
  }

  #finishFile(file: Placed<FileEntry>): void {
    if (this.#plan.isWhole(file.entry)) return;
    const path = this.pathOf(file);
    if (file.entry.size === 0 && !lstatSync(path, { throwIfNoEntry: false })) closeSync(openSync(path, 'wx', 0o600));
    this.#setOwnerModeTimes(path, file.entry);
  }

  #makeLink(link: Placed<LinkEntry>): void {
    const { entry } = link;
    const path = this.pathOf(link);
    if (lstatSync(path, { throwIfNoEntry: false })) unlinkSync(path);
    if (entry.type === 'hardlink')
      return linkSync(this.pathOf({ ...link, entry: { ...entry, path: entry.target } }), path);
    symlinkSync(entry.target, path);
    if (this.#owners) lchownSync(path, entry.uid, entry.gid);
    lutimesSync(path, fileTime(entry.mtime), fileTime(entry.mtime));
  }

  #finishDirectory(directory: Placed<DirectoryEntry>): void {
    this.#setOwnerModeTimes(this.pathOf(directory), directory.entry);
  }

  /** Owner first: changing it takes the set-user-id bit away. */
  #setOwnerModeTimes(path: Buffer, { uid, gid, mode, mtime }: Entry): void {
    if (this.#owners) lchownSync(path, uid, gid);
    chmodSync(path, mode);
    utimesSync(path, fileTime(mtime), fileTime(mtime));
  }
}

function makeDirectory(path: Buffer): void {
  const known = lstatSync(path, { throwIfNoEntry: false });
  if (known) chmodSync(path, 0o700);
  else mkdirSync(path, { mode: 0o700 });
}

function diskError(path: string, cause: unknown): Error {
  const { code } = cause as NodeJS.ErrnoException;
  // Of `sync`, the exit code says nothing.
  const why = typeof code === 'string' ? code : 'it could not be made durable';
  return signingError('disk-write', `Cannot write ${path}: ${why}.`, { cause });
}
