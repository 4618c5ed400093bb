// The manifest of a release: trees, chunks and segment keys, as bytes (FORMAT.md, "Manifest").
// Tables of fixed records stay bytes in memory: a file of 64 GiB has a million chunks.
import { z } from 'zod';
import { bundleError } from './errors.ts';

const MAGIC = Buffer.from('RLVRTREE');
const SEGMENT_RECORD = 32 + 32 + 4 + 4;
const CHUNK_RECORD = 32 + 4 + 4 + 4;
const ENTRY_FIXED = 1 + 2 + 4 + 4 + 8 + 2;
const TYPES = ['directory', 'file', 'symlink', 'hardlink'] as const;

/** Counts are bounded before anything is allocated for them. */
const MOST = { headBytes: 1024 * 1024, entries: 8_000_000, segments: 4_000_000, chunks: 16_000_000 } as const;

interface EntryCommon {
  /** Path below the component's directory, `/`-separated bytes; names need not be UTF-8. */
  readonly path: Buffer;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly mtime: number;
}

export type Entry =
  | (EntryCommon & { readonly type: 'directory' })
  | (EntryCommon & {
      readonly type: 'file';
      readonly size: number;
      readonly firstChunk: number;
      readonly chunkCount: number;
    })
  | (EntryCommon & { readonly type: 'symlink' | 'hardlink'; readonly target: Buffer });

/** A reference to a sealed segment and the key that opens it. */
export interface Segment {
  readonly name: string;
  readonly key: Buffer;
  readonly sealedSize: number;
  readonly plainSize: number;
}

/** Where a chunk lies: `length` bytes at `offset` of the plaintext of segment number `segment`. */
export interface Chunk {
  readonly digest: Buffer;
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

export interface ManifestComponent {
  readonly name: string;
  readonly rootfs: boolean;
  readonly entries: readonly Entry[];
}

export interface Manifest {
  readonly product: string;
  readonly version: string;
  readonly components: readonly ManifestComponent[];
  readonly segments: Table<Segment>;
  readonly chunks: Table<Chunk>;
}

/** A read-only sequence that decodes its records on demand. */
export interface Table<T> extends Iterable<T> {
  readonly length: number;
  at(index: number): T;
}

const headSchema = z.strictObject({
  product: z.string(),
  version: z.string(),
  segments: z.int().min(0).max(MOST.segments),
  chunks: z.int().min(0).max(MOST.chunks),
  components: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/),
        rootfs: z.boolean(),
        entries: z.int().min(0).max(MOST.entries),
      }),
    )
    .max(64),
});

/** Manifest to bytes. The same manifest gives the same bytes. */
export function encodeManifest(manifest: Manifest): Buffer {
  const head = Buffer.from(
    JSON.stringify({
      product: manifest.product,
      version: manifest.version,
      segments: manifest.segments.length,
      chunks: manifest.chunks.length,
      components: manifest.components.map(c => ({ name: c.name, rootfs: c.rootfs, entries: c.entries.length })),
    }),
  );
  const prefix = Buffer.alloc(MAGIC.length + 4);
  MAGIC.copy(prefix);
  prefix.writeUInt32BE(head.length, MAGIC.length);
  const entries = manifest.components.flatMap(component => component.entries.map(encodeEntry));
  return Buffer.concat([prefix, head, encodeSegments(manifest.segments), encodeChunks(manifest.chunks), ...entries]);
}

/**
 * Bytes to manifest; every count, reference and length is checked.
 *
 * @throws `manifest-corrupt`
 */
export function decodeManifest(bytes: Buffer): Manifest {
  try {
    return decode(bytes);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw bundleError('manifest-corrupt', `The manifest cannot be read: ${why}.`, { cause });
  }
}

function decode(bytes: Buffer): Manifest {
  const reader = new Reader(bytes);
  if (!reader.take(MAGIC.length).equals(MAGIC)) throw new Error('it does not start as a manifest');
  const headLength = reader.u32();
  if (headLength > MOST.headBytes) throw new Error('its head is too long');
  const head = headSchema.parse(JSON.parse(reader.take(headLength).toString('utf8')));
  const segments = segmentTable(reader.take(head.segments * SEGMENT_RECORD));
  const chunks = chunkTable(reader.take(head.chunks * CHUNK_RECORD));
  requireChunksInside(segments, chunks);
  const components = head.components.map(({ name, rootfs, entries }) => ({
    name,
    rootfs,
    entries: Array.from({ length: entries }, () => decodeEntry(reader, chunks)),
  }));
  reader.requireEnd();
  return { product: head.product, version: head.version, components, segments, chunks };
}

function encodeSegments(segments: Table<Segment>): Buffer {
  const bytes = Buffer.alloc(segments.length * SEGMENT_RECORD);
  let o = 0;
  for (const { name, key, sealedSize, plainSize } of segments) {
    o += bytes.write(name, o, 'hex');
    o += key.copy(bytes, o);
    o = bytes.writeUInt32BE(sealedSize, o);
    o = bytes.writeUInt32BE(plainSize, o);
  }
  return bytes;
}

function encodeChunks(chunks: Table<Chunk>): Buffer {
  const bytes = Buffer.alloc(chunks.length * CHUNK_RECORD);
  let o = 0;
  for (const { digest, segment, offset, length } of chunks) {
    o += digest.copy(bytes, o);
    o = bytes.writeUInt32BE(segment, o);
    o = bytes.writeUInt32BE(offset, o);
    o = bytes.writeUInt32BE(length, o);
  }
  return bytes;
}

function encodeEntry(entry: Entry): Buffer {
  const fixed = Buffer.alloc(ENTRY_FIXED);
  let o = fixed.writeUInt8(TYPES.indexOf(entry.type));
  o = fixed.writeUInt16BE(entry.mode, o);
  o = fixed.writeUInt32BE(entry.uid, o);
  o = fixed.writeUInt32BE(entry.gid, o);
  o = fixed.writeBigInt64BE(BigInt(entry.mtime), o);
  fixed.writeUInt16BE(entry.path.length, o);
  return Buffer.concat([fixed, entry.path, encodeTail(entry)]);
}

function encodeTail(entry: Entry): Buffer {
  if (entry.type === 'directory') return Buffer.alloc(0);
  if (entry.type === 'file') {
    const tail = Buffer.alloc(16);
    tail.writeBigUInt64BE(BigInt(entry.size), 0);
    tail.writeUInt32BE(entry.firstChunk, 8);
    tail.writeUInt32BE(entry.chunkCount, 12);
    return tail;
  }
  const length = Buffer.alloc(2);
  length.writeUInt16BE(entry.target.length);
  return Buffer.concat([length, entry.target]);
}

function decodeEntry(reader: Reader, chunks: Table<Chunk>): Entry {
  const type = TYPES[reader.u8()];
  const mode = reader.u16();
  const common = { mode, uid: reader.u32(), gid: reader.u32(), mtime: reader.i64(), path: reader.take(reader.u16()) };
  if (mode > 0o7777) throw new Error('a mode is out of range');
  switch (type) {
    case 'directory':
      return { type, ...common };
    case 'file': {
      const file = { type, ...common, size: reader.u64(), firstChunk: reader.u32(), chunkCount: reader.u32() };
      requireFileSize(file, chunks);
      return file;
    }
    case 'symlink':
    case 'hardlink':
      return { type, ...common, target: reader.take(reader.u16()) };
    default:
      throw new Error('an entry has an unknown type');
  }
}

/** The chunks of a file add up to its size: what is written is bounded by what was declared. */
function requireFileSize(file: Extract<Entry, { type: 'file' }>, chunks: Table<Chunk>): void {
  if (file.firstChunk + file.chunkCount > chunks.length) throw new Error('a file points past the chunk table');
  let size = 0;
  for (let i = 0; i < file.chunkCount; i++) size += chunks.at(file.firstChunk + i).length;
  if (size !== file.size) throw new Error('the chunks of a file do not add up to its size');
}

function requireChunksInside(segments: Table<Segment>, chunks: Table<Chunk>): void {
  for (const chunk of chunks) {
    if (chunk.segment >= segments.length) throw new Error('a chunk points past the segment table');
    if (chunk.offset + chunk.length > segments.at(chunk.segment).plainSize)
      throw new Error('a chunk leaves its segment');
  }
}

function segmentTable(bytes: Buffer): Table<Segment> {
  return table(bytes.length / SEGMENT_RECORD, index => {
    const o = index * SEGMENT_RECORD;
    return {
      name: bytes.toString('hex', o, o + 32),
      key: bytes.subarray(o + 32, o + 64),
      sealedSize: bytes.readUInt32BE(o + 64),
      plainSize: bytes.readUInt32BE(o + 68),
    };
  });
}

function chunkTable(bytes: Buffer): Table<Chunk> {
  return table(bytes.length / CHUNK_RECORD, index => {
    const o = index * CHUNK_RECORD;
    return {
      digest: bytes.subarray(o, o + 32),
      segment: bytes.readUInt32BE(o + 32),
      offset: bytes.readUInt32BE(o + 36),
      length: bytes.readUInt32BE(o + 40),
    };
  });
}

function table<T>(length: number, read: (index: number) => T): Table<T> {
  return {
    length,
    at(index) {
      if (!(index >= 0 && index < length)) throw new RangeError(`index ${index} of ${length}`);
      return read(index);
    },
    *[Symbol.iterator]() {
      for (let i = 0; i < length; i++) yield read(i);
    },
  };
}

/** Reads big-endian fields in order and refuses to go past the end. */
class Reader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  take(length: number): Buffer {
    const end = this.#offset + length;
    if (end > this.#bytes.length) throw new Error('it is cut off');
    const part = this.#bytes.subarray(this.#offset, end);
    this.#offset = end;
    return part;
  }

  u8 = () => this.take(1).readUInt8();
  u16 = () => this.take(2).readUInt16BE();
  u32 = () => this.take(4).readUInt32BE();
  u64 = () => safe(this.take(8).readBigUInt64BE());
  i64 = () => safe(this.take(8).readBigInt64BE());

  requireEnd(): void {
    if (this.#offset !== this.#bytes.length) throw new Error('something follows its end');
  }
}

function safe(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new Error('a number is out of range');
  return number;
}
