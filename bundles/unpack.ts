// Unpacks a release into a folder: verified bytes only, through a staging folder and one rename.
// What a manifest asks for is not believed: paths, links, duplicates and sizes are checked here again.
import { execFile } from 'node:child_process';
import { chmod, lchown, link, lutimes, mkdir, open, rename, rm, stat, symlink, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { syncDirectory } from '../signing/index.ts';
import { bundleError } from './errors.ts';
import type { Chunk, Entry, Manifest, ManifestComponent, Segment } from './manifest.ts';
import { openSegment } from './seal.ts';
import type { BlobStore } from './store/store.ts';
import { staysInside } from './tree.ts';

/** Opened segments kept in memory; releases read their segments nearly in order. */
const CACHED_SEGMENTS = 32;

export interface UnpackInput {
  readonly manifest: Manifest;
  readonly segments: BlobStore;
  /** The folder that appears, whole, when all is written. */
  readonly directory: string;
  /** Sets owners as the vendor packed them; needs root. */
  readonly owners: boolean;
  onProgress?(plainBytes: number): void;
}

/**
 * Unpacks a release. Does nothing when `directory` is already there.
 *
 * @throws `path-unsafe`, `segment-corrupt`, `object-missing`
 */
export async function unpackRelease(input: UnpackInput): Promise<void> {
  if (await stat(input.directory).catch(() => undefined)) return;
  const staging = `${input.directory}.staging`;
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { recursive: true });
  const reader = new SegmentReader(input.manifest, input.segments);
  let written = 0;
  for (const component of input.manifest.components) {
    const base = join(staging, component.name);
    await mkdir(base);
    for (const entry of checkedEntries(component)) {
      await writeEntry(base, entry, reader, input.manifest);
      if (entry.type !== 'file') continue;
      written += entry.size;
      input.onProgress?.(written);
    }
    await finish(base, component, input.owners);
  }
  await promisify(execFile)('sync', ['--file-system', staging]); // one flush; a flush per file is many times slower
  await rename(staging, input.directory);
  await syncDirectory(dirname(input.directory));
}

/** Each path is relative, stays inside, is new, and lies in a directory of this component, never behind a link. */
function* checkedEntries(component: ManifestComponent): Generator<Entry> {
  const kinds = new Map<string, Entry['type']>([['', 'directory']]);
  for (const entry of component.entries) {
    const path = entry.path.toString('latin1');
    const parts = path.split('/');
    const parent = parts.slice(0, -1).join('/');
    const unsafe =
      parts.some(part => part === '' || part === '.' || part === '..' || part.includes('\0')) ||
      kinds.has(path) ||
      kinds.get(parent) !== 'directory' ||
      (entry.type === 'symlink' && !component.rootfs && !staysInside(entry.path, entry.target)) ||
      (entry.type === 'hardlink' && kinds.get(entry.target.toString('latin1')) !== 'file');
    if (unsafe) throw bundleError('path-unsafe', `The release carries the unsafe path ${component.name}/${path}.`);
    kinds.set(path, entry.type);
    yield entry;
  }
}

async function writeEntry(base: string, entry: Entry, reader: SegmentReader, manifest: Manifest): Promise<void> {
  const path = absolute(base, entry.path);
  switch (entry.type) {
    case 'directory':
      return mkdir(path);
    case 'symlink':
      return symlink(entry.target, path);
    case 'hardlink':
      return link(absolute(base, entry.target), path);
    case 'file': {
      const file = await open(path, 'wx', 0o600);
      try {
        for (let i = 0; i < entry.chunkCount; i++) {
          await file.writeFile(await reader.read(manifest.chunks.at(entry.firstChunk + i)));
        }
      } finally {
        await file.close();
      }
    }
  }
}

/** Owners, modes and times, children before parents: a read-only directory must not refuse its own content. */
async function finish(base: string, component: ManifestComponent, owners: boolean): Promise<void> {
  for (const entry of component.entries.toReversed()) {
    const path = absolute(base, entry.path);
    if (owners) await lchown(path, entry.uid, entry.gid);
    if (entry.type === 'symlink') {
      await lutimes(path, entry.mtime, entry.mtime);
      continue;
    }
    await chmod(path, entry.mode);
    await utimes(path, entry.mtime, entry.mtime);
  }
}

function absolute(base: string, path: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${base}/`), path]);
}

/** Reads chunks out of verified segments, keeping the last few open. */
class SegmentReader {
  readonly #segments: readonly Segment[];
  readonly #store: BlobStore;
  readonly #open = new Map<number, Buffer>();

  constructor(manifest: Manifest, store: BlobStore) {
    this.#segments = [...manifest.segments];
    this.#store = store;
  }

  async read(chunk: Chunk): Promise<Buffer> {
    const plain = this.#open.get(chunk.segment) ?? (await this.#load(chunk.segment));
    return plain.subarray(chunk.offset, chunk.offset + chunk.length);
  }

  async #load(number: number): Promise<Buffer> {
    const { name, key, plainSize } = this.#segments[number] as Segment;
    const plain = openSegment(name, key, await this.#store.get(name), plainSize);
    if (this.#open.size >= CACHED_SEGMENTS) this.#open.delete(this.#open.keys().next().value as number);
    this.#open.set(number, plain);
    return plain;
  }
}
