// Packs directories into sealed segments and a sealed manifest. Streaming: memory does not grow with the release.
// Chunks that an earlier release of the product already has are referenced where they are, not packed again.
import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { sha256 } from '../signing/index.ts';
import { CHUNK, cut } from './chunker.ts';
import { bundleError } from './errors.ts';
import {
  type Chunk,
  type Entry,
  encodeManifest,
  type Manifest,
  type ManifestComponent,
  type Segment,
} from './manifest.ts';
import { LIMITS, type Sealed, sealManifest, sealSegment } from './seal.ts';
import { type FoundEntry, scanTree } from './tree.ts';

const READ_BYTES = 4 * 1024 * 1024;

export interface PackInput {
  readonly product: string;
  readonly version: string;
  /** 32 secret bytes of the vendor; equal plaintext is sealed alike only under the same one. */
  readonly productKey: Uint8Array;
  readonly components: readonly PackComponent[];
  /** Later file times are written as this one (seconds since 1970), so that a rebuilt tree packs to the same bytes. */
  readonly latestMtime?: number;
  /** Manifests of earlier releases whose segments may be used again. */
  readonly base: readonly Manifest[];
  /** Stores a new segment. Awaited, so that a slow store slows the packing instead of filling memory. */
  put(segment: Sealed): Promise<void>;
  onProgress?(progress: PackProgress): void;
}

export interface PackComponent {
  readonly name: string;
  readonly directory: string;
  readonly rootfs: boolean;
  /** Paths whose whole-file digest is wanted, such as the kernel; a second pass of SHA-256 over each. */
  readonly digests: readonly string[];
}

export interface FileDigest {
  readonly sha256: string;
  readonly length: number;
}

export interface PackProgress {
  readonly files: number;
  readonly plainBytes: number;
}

export interface PackedRelease {
  /** Its `key` is the content key of the release. */
  readonly manifest: Sealed;
  readonly files: number;
  readonly plainBytes: number;
  readonly segments: number;
  /** All segments of the release, in bytes as stored. */
  readonly sealedBytes: number;
  /** The segments that did not exist before, in bytes as stored. */
  readonly newBytes: number;
  /** The digests that were asked for, by `<component>/<path>`; absent where there is no such file. */
  readonly digests: ReadonlyMap<string, FileDigest>;
}

/**
 * Packs a release.
 *
 * @throws `directory-missing`, `directory-unreadable`, `entry-unsupported`, `link-outside`, `entry-changed`
 */
export async function packRelease(input: PackInput): Promise<PackedRelease> {
  const packer = new Packer(input);
  const components: ManifestComponent[] = [];
  for (const component of input.components) {
    const { name, directory, rootfs } = component;
    const entries: Entry[] = [];
    for await (const found of scanTree(directory, rootfs)) entries.push(await packer.entry(component, found));
    components.push({ name, rootfs, entries });
  }
  await packer.flush();
  const { product, version } = input;
  const manifest = { product, version, components, segments: packer.segments, chunks: packer.chunks };
  return {
    manifest: sealManifest(input.productKey, encodeManifest({ ...manifest, ...tables(packer) })),
    files: packer.files,
    plainBytes: packer.plainBytes,
    segments: packer.segments.length,
    sealedBytes: packer.segments.reduce((sum, segment) => sum + segment.sealedSize, 0),
    newBytes: packer.newBytes,
    digests: packer.digests,
  };
}

class Packer {
  readonly segments: Segment[] = [];
  readonly chunks: Chunk[] = [];
  readonly digests = new Map<string, FileDigest>();
  files = 0;
  plainBytes = 0;
  newBytes = 0;

  readonly #input: PackInput;
  readonly #known: KnownChunks;
  /** Chunks of the segment being filled, and their places in `chunks`. */
  #open: { bytes: Buffer[]; size: number; places: number[] } = { bytes: [], size: 0, places: [] };
  /** Chunk digest to its place, for chunks of this release. */
  readonly #seen = new Map<string, Omit<Chunk, 'digest'>>();
  /** Base segment to its number in this release. */
  readonly #reused = new Map<string, number>();

  constructor(input: PackInput) {
    this.#input = input;
    this.#known = new KnownChunks(input.base);
  }

  async entry(component: PackComponent, found: FoundEntry): Promise<Entry> {
    const mtime = Math.min(found.mtime, this.#input.latestMtime ?? found.mtime);
    if (found.type !== 'file') return { ...found, mtime };
    const { source, ...entry } = found;
    const firstChunk = this.chunks.length;
    const path = found.path.toString();
    const whole = component.digests.includes(path) ? createHash('sha256') : undefined;
    const length = await this.#file(source, whole);
    if (length !== found.size) throw bundleError('entry-changed', `${source} changed while it was packed.`);
    if (whole) this.digests.set(`${component.name}/${path}`, { sha256: whole.digest('hex'), length });
    this.files++;
    return { ...entry, mtime, firstChunk, chunkCount: this.chunks.length - firstChunk };
  }

  async flush(): Promise<void> {
    const { bytes, size, places } = this.#open;
    if (size === 0) return;
    const sealed = sealSegment(this.#input.productKey, Buffer.concat(bytes, size));
    const number = this.segments.length;
    this.segments.push({ name: sealed.name, key: sealed.key, sealedSize: sealed.bytes.length, plainSize: size });
    for (const place of places) this.#place(place, number);
    this.#open = { bytes: [], size: 0, places: [] };
    this.newBytes += sealed.bytes.length;
    await this.#input.put(sealed);
  }

  async #file(source: Buffer, whole: Hash | undefined): Promise<number> {
    const file = await open(source).catch(cause => {
      throw bundleError('directory-unreadable', `${source} cannot be read.`, { cause });
    });
    try {
      let length = 0;
      for await (const chunk of chunksOf(file)) {
        whole?.update(chunk);
        length += chunk.length;
        await this.#chunk(chunk);
      }
      return length;
    } finally {
      await file.close();
    }
  }

  async #chunk(bytes: Buffer): Promise<void> {
    const digest = sha256(bytes);
    const id = digest.toString('latin1');
    this.plainBytes += bytes.length;
    this.#input.onProgress?.({ files: this.files, plainBytes: this.plainBytes });
    const place = this.#seen.get(id) ?? this.#reuse(id);
    if (place) {
      this.chunks.push({ digest, ...place });
      // A chunk of the segment being filled has no number yet; it gets one when the segment is sealed.
      if (place.segment === UNSEALED) this.#open.places.push(this.chunks.length - 1);
      return;
    }
    const fresh = { segment: UNSEALED, offset: this.#open.size, length: bytes.length };
    this.#seen.set(id, fresh);
    this.#open.places.push(this.chunks.push({ digest, ...fresh }) - 1);
    this.#open.bytes.push(Buffer.from(bytes));
    this.#open.size += bytes.length;
    if (this.#open.size >= LIMITS.segmentTargetBytes) await this.flush();
  }

  #place(index: number, segment: number): void {
    const chunk = this.chunks[index] as Chunk;
    const place = { segment, offset: chunk.offset, length: chunk.length };
    this.chunks[index] = { digest: chunk.digest, ...place };
    this.#seen.set(chunk.digest.toString('latin1'), place);
  }

  #reuse(id: string): Omit<Chunk, 'digest'> | undefined {
    const known = this.#known.find(id);
    if (!known) return undefined;
    let number = this.#reused.get(known.segment.name);
    if (number === undefined) {
      number = this.segments.push(known.segment) - 1;
      this.#reused.set(known.segment.name, number);
    }
    const place = { segment: number, offset: known.offset, length: known.length };
    this.#seen.set(id, place);
    return place;
  }
}

/** Marks a chunk whose segment is still being filled; never leaves this file. */
const UNSEALED = 0xffffffff;

/** The chunks of earlier releases, by digest. */
class KnownChunks {
  readonly #places = new Map<string, { segment: Segment; offset: number; length: number }>();

  constructor(base: readonly Manifest[]) {
    for (const manifest of base) {
      const segments = [...manifest.segments];
      for (const chunk of manifest.chunks) {
        const segment = segments[chunk.segment] as Segment;
        this.#places.set(chunk.digest.toString('latin1'), { segment, offset: chunk.offset, length: chunk.length });
      }
    }
  }

  find(id: string) {
    return this.#places.get(id);
  }
}

/** Content-defined chunks of an open file. The bytes are valid until the next one is asked for. */
async function* chunksOf(file: FileHandle): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(READ_BYTES + CHUNK.maxBytes);
  let start = 0;
  let end = 0;
  let ended = false;
  for (;;) {
    if (!ended && end - start < CHUNK.maxBytes) {
      buffer.copyWithin(0, start, end);
      end -= start;
      start = 0;
      while (!ended && end < READ_BYTES) {
        const { bytesRead } = await file.read(buffer, end, buffer.length - end);
        end += bytesRead;
        ended = bytesRead === 0;
      }
    }
    if (start === end) return;
    const length = cut(buffer.subarray(start, end));
    yield buffer.subarray(start, start + length);
    start += length;
  }
}

function tables(packer: Packer) {
  const asTable = <T>(items: readonly T[]) => ({
    length: items.length,
    at: (index: number) => items[index] as T,
    [Symbol.iterator]: () => items[Symbol.iterator](),
  });
  return { segments: asTable(packer.segments), chunks: asTable(packer.chunks) };
}
