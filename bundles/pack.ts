// Packs directories into sealed segments, a sealed manifest and a sealed index of chunk digests. Workers read, hash, compress
// and seal; this file decides, in one order, so that the same input gives the same bytes however many cores there are.
// Streaming: memory does not grow with the release, but for 44 bytes a chunk and the entries.
import { createHash } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { memberCuts } from './archives.ts';
import { Bounded } from './bounded.ts';
import { ChunkTable } from './chunk-table.ts';
import { type DirectoryEntry, EntryList, encodeManifest, type LinkEntry, type Segment, table } from './manifest.ts';
import { KnownChunks, type PackBase } from './pack-base.ts';
import { LIMITS, type Sealed, sealIndex, sealManifest } from './seal.ts';
import { type FoundEntry, type FoundFile, scanTree, type TreeOptions } from './tree.ts';
import { type FileRange, type ScanResult, scanJob } from './workers/jobs.ts';
import { type WorkerPool, workerPool } from './workers/pool.ts';
import { type Slot, type SlotRack, sharedRacks } from './workers/slots.ts';

/** A file is cut anew at every span: large files are hashed by several workers, and answers stay small. */
const SPAN_BYTES = 8 * 1024 * 1024;
/** Ranges given to a worker at once: enough to make asking cheap, few enough to keep all of them busy. */
const BATCH = { bytes: SPAN_BYTES, pieces: 512 } as const;
/** Batches scanned ahead, and segments sealed at once, a worker: it never waits for the next one. */
const AHEAD = 2;

export interface PackComponent extends TreeOptions {
  readonly name: string;
  readonly directory: string;
  /** Paths whose whole-file digest is wanted, such as the kernel; a second reading of each. */
  readonly digests: readonly string[];
}

export interface PackInput {
  readonly product: string;
  readonly version: string;
  /** 32 secret bytes of the vendor; equal plaintext is sealed alike only under the same one. */
  readonly productKey: Uint8Array;
  readonly components: readonly PackComponent[];
  /** Later file times are written as this one (seconds since 1970), so that a rebuilt tree packs to the same bytes. */
  readonly latestMtime?: number;
  /** Earlier releases whose segments may be used again. */
  readonly base: readonly PackBase[];
  /** Stores a new segment. Awaited, so that a slow store slows the packing instead of filling memory. */
  put(segment: { readonly name: string; readonly bytes: Uint8Array }): Promise<void>;
  onProgress?(progress: PackProgress): void;
  /** Threads to use; all cores by default. */
  readonly threads?: number;
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
  /** For the vendor's next packing only; sealed under the content key. */
  readonly index: { readonly name: string; readonly bytes: Buffer };
  /** SHA-256 over what the trees hold, however it was packed. */
  readonly content: string;
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
 * @throws `directory-missing`, `directory-unreadable`, `entry-unsupported`, `link-outside`, `entry-changed`,
 * `xattr-tool-missing`, and what `put` throws
 */
export async function packRelease(input: PackInput): Promise<PackedRelease> {
  const threads = input.threads ?? availableParallelism();
  const { memory, racks } = sharedRacks([
    { slots: AHEAD * threads + 1, slotBytes: BATCH.bytes },
    { slots: AHEAD * threads + 2, slotBytes: LIMITS.segmentPlainBytes },
  ]);
  const [batches, plains] = racks as [SlotRack, SlotRack];
  const pool = workerPool(threads, memory);
  try {
    const packer = new Packer(input, pool, batches, plains);
    const components = [];
    for (const component of input.components) {
      components.push({ name: component.name, rootfs: component.rootfs, entries: await packer.component(component) });
    }
    await packer.finish();
    const { chunks, segments } = packer;
    const { product, version, productKey } = input;
    const places = table(chunks.length, index => chunks.placeAt(index));
    const encoded = encodeManifest({ product, version, components, segments, chunks: places });
    const manifest = sealManifest(productKey, encoded);
    return {
      manifest,
      index: sealIndex(manifest.key, chunks.digests()),
      content: contentDigest(components, chunks),
      files: packer.files,
      plainBytes: packer.plainBytes,
      segments: segments.length,
      sealedBytes: segments.reduce((sum, segment) => sum + segment.sealedSize, 0),
      newBytes: packer.newBytes,
      digests: await fileDigests(input, pool),
    };
  } finally {
    await pool.close();
  }
}

function contentDigest(components: readonly { name: string; entries: EntryList }[], chunks: ChunkTable): string {
  const hash = createHash('sha256');
  for (const { name, entries } of components) hash.update(`${name}\0`).update(entries.bytes());
  return hash.update(chunks.digests()).digest('hex');
}

/** A piece of the tree in its order: an entry as it is, or a span of a file. An empty file has no range. */
type Piece =
  | { readonly entry: DirectoryEntry | LinkEntry }
  | { readonly file: FoundFile; readonly range: FileRange | undefined; readonly last: boolean };

/** A batch on its way through a worker, and the memory that its content comes back in. */
interface Scanning {
  readonly pieces: readonly Piece[];
  readonly slot: Slot;
  readonly scanned: Promise<ScanResult>;
}

class Packer {
  readonly chunks = new ChunkTable();
  files = 0;
  plainBytes = 0;
  newBytes = 0;

  readonly #input: PackInput;
  readonly #pool: WorkerPool;
  readonly #known: KnownChunks;
  /** A segment has its number from its first chunk on, and its name when it has been sealed. */
  readonly #segments: (Segment | undefined)[] = [];
  /** Base segment to its number in this release. */
  readonly #reused = new Map<string, number>();
  readonly #sealing: Bounded;
  readonly #batches: SlotRack;
  readonly #plains: SlotRack;
  #open: { readonly number: number; readonly plain: Slot; bytes: number } | undefined;

  constructor(input: PackInput, pool: WorkerPool, batches: SlotRack, plains: SlotRack) {
    this.#input = input;
    this.#pool = pool;
    this.#batches = batches;
    this.#plains = plains;
    this.#known = new KnownChunks(input.base);
    this.#sealing = new Bounded(AHEAD * pool.size);
  }

  get segments(): readonly Segment[] {
    return this.#segments as Segment[];
  }

  /** Scans ahead of deciding: a few batches are under way while the oldest one is taken in. */
  async component(component: PackComponent): Promise<EntryList> {
    const entries = new EntryList();
    const ahead: Scanning[] = [];
    for (const pieces of batches(scanTree(component.directory, component))) {
      const ranges = pieces.flatMap(piece => ('range' in piece && piece.range ? [piece.range] : []));
      const slot = this.#batches.take();
      const scanned = this.#pool.run(scanJob(ranges, slot.at));
      scanned.catch(() => undefined); // awaited in its turn
      ahead.push({ pieces, slot, scanned });
      if (ahead.length > AHEAD * this.#pool.size) await this.#takeOldest(ahead, entries);
    }
    while (ahead.length > 0) await this.#takeOldest(ahead, entries);
    return entries;
  }

  async finish(): Promise<void> {
    await this.#close();
    await this.#sealing.drain();
  }

  async #takeOldest(ahead: Scanning[], entries: EntryList): Promise<void> {
    const { pieces, slot, scanned } = ahead.shift() as Scanning;
    const { counts, lengths, digests } = await scanned;
    const latest = this.#input.latestMtime ?? Number.POSITIVE_INFINITY;
    let range = 0;
    let chunk = 0;
    let at = 0;
    for (const piece of pieces) {
      if ('entry' in piece) {
        entries.add({ ...piece.entry, mtime: Math.min(piece.entry.mtime, latest) });
        continue;
      }
      if (piece.range) {
        const end = chunk + (counts[range++] as number);
        for (; chunk < end; chunk++) {
          const length = lengths[chunk] as number;
          await this.#chunk(digests.subarray(chunk * 32, (chunk + 1) * 32), slot.bytes.subarray(at, at + length));
          at += length;
        }
      }
      if (piece.last) this.#endFile(piece.file, Math.min(piece.file.mtime, latest), entries);
    }
    this.#batches.give(slot);
    this.#input.onProgress?.({ files: this.files, plainBytes: this.plainBytes });
  }

  /** Chunks of files come one after the other, so a file has those since the last one ended. */
  #endFile(file: FoundFile, mtime: number, entries: EntryList): void {
    const { source: _source, seen: _seen, ...entry } = file;
    const firstChunk = this.#counted;
    this.#counted = this.chunks.length;
    entries.add({ ...entry, mtime, firstChunk, chunkCount: this.chunks.length - firstChunk });
    this.files++;
  }

  #counted = 0;

  async #chunk(digest: Uint8Array, content: Uint8Array): Promise<void> {
    this.plainBytes += content.length;
    const seen = this.chunks.find(digest);
    if (seen !== undefined) {
      this.chunks.add(digest, this.chunks.placeAt(seen), false);
      return;
    }
    const known = this.#known.find(digest);
    if (known) {
      this.chunks.add(digest, { ...known, segment: this.#numberOf(known.segment) }, true);
      return;
    }
    this.#open ??= { number: this.#segments.push(undefined) - 1, plain: this.#plains.take(), bytes: 0 };
    const open = this.#open;
    this.chunks.add(digest, { segment: open.number, offset: open.bytes, length: content.length }, true);
    open.plain.bytes.set(content, open.bytes);
    open.bytes += content.length;
    if (open.bytes >= LIMITS.segmentTargetBytes) await this.#close();
  }

  #numberOf(segment: Segment): number {
    const known = this.#reused.get(segment.name);
    if (known !== undefined) return known;
    const number = this.#segments.push(segment) - 1;
    this.#reused.set(segment.name, number);
    return number;
  }

  async #close(): Promise<void> {
    if (!this.#open) return;
    const { number, bytes: plainSize, plain } = this.#open;
    this.#open = undefined;
    await this.#sealing.start(async () => {
      const { productKey, put } = this.#input;
      const job = { kind: 'seal' as const, productKey, at: plain.at, length: plainSize };
      const { name, key, bytes } = await this.#pool.run(job);
      this.#plains.give(plain);
      this.#segments[number] = { name, key: Buffer.from(key), sealedSize: bytes.length, plainSize };
      this.newBytes += bytes.length;
      await put({ name, bytes });
    });
  }
}

/** Cuts the tree into batches of about equal work. */
function* batches(tree: Iterable<FoundEntry>): Generator<readonly Piece[]> {
  let pieces: Piece[] = [];
  let bytes = 0;
  for (const piece of piecesOf(tree)) {
    const length = 'range' in piece ? (piece.range?.length ?? 0) : 0;
    if (bytes + length > BATCH.bytes || pieces.length === BATCH.pieces) {
      yield pieces;
      pieces = [];
      bytes = 0;
    }
    pieces.push(piece);
    bytes += length;
  }
  if (pieces.length > 0) yield pieces;
}

function* piecesOf(tree: Iterable<FoundEntry>): Generator<Piece> {
  for (const found of tree) {
    if (found.type !== 'file') yield { entry: found };
    else yield* spansOf(found);
  }
}

function* spansOf(file: FoundFile): Generator<Piece> {
  const { source: path, size, seen } = file;
  if (size === 0) yield { file, range: undefined, last: true };
  const cuts = [...memberCuts(path, size), size];
  for (let offset = 0, next = 0; offset < size; ) {
    while ((cuts[next] as number) <= offset) next++;
    const length = Math.min(SPAN_BYTES, (cuts[next] as number) - offset);
    yield { file, range: { path, offset, length, seen }, last: offset + length === size };
    offset += length;
  }
}

async function fileDigests(input: PackInput, pool: WorkerPool): Promise<ReadonlyMap<string, FileDigest>> {
  const digests = new Map<string, FileDigest>();
  for (const { name, directory, digests: wanted } of input.components) {
    for (const path of wanted) {
      const file = join(directory, path);
      if (!lstatSync(file, { throwIfNoEntry: false })?.isFile()) continue;
      digests.set(`${name}/${path}`, await pool.run({ kind: 'digest', path: Buffer.from(file) }));
    }
  }
  return digests;
}
