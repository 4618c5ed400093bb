// The manifest of a release: trees, chunks and segment keys, as bytes (FORMAT.md, "Manifest"). It stays bytes in memory and
// is decoded record by record: a file of 64 GiB has a million chunks.
import { z } from 'zod';
import { parseStrictJson } from '../signing/index.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { bundleError } from './errors.ts';

const MAGIC = Buffer.from('RLVRTREE');
const SEGMENT_RECORD = 32 + 32 + 4 + 4;
const CHUNK_RECORD = 4 + 4 + 4;
const TYPES = ['directory', 'file', 'symlink', 'hardlink'] as const;
const SPARSE = 1;
const HAS_XATTRS = 2;
/** Text that is no UTF-8 is refused: replaced characters would make one name of two. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Counts are bounded before anything is allocated for them. */
const MOST = {
  headBytes: 1024 * 1024,
  entries: 8_000_000,
  segments: 4_000_000,
  chunks: 16_000_000,
  xattrs: 64,
  xattrBytes: 65_536,
} as const;

/** An extended attribute, as `getxattr(2)` gives it. */
export interface Xattr {
  readonly name: string;
  readonly value: Buffer;
}

interface EntryCommon {
  /** Path below the component's directory, `/`-separated bytes; names need not be UTF-8. */
  readonly path: Buffer;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly xattrs: readonly Xattr[];
}

export type DirectoryEntry = EntryCommon & { readonly type: 'directory' };
export type LinkEntry = EntryCommon & { readonly type: 'symlink' | 'hardlink'; readonly target: Buffer };
export type FileEntry = EntryCommon & {
  readonly type: 'file';
  readonly size: number;
  /** Number of its first chunk. Files have their chunks one after the other, in the order of the entries. */
  readonly firstChunk: number;
  readonly chunkCount: number;
  /** Blocks of zeros were holes, and become holes again. */
  readonly sparse: boolean;
};
export type Entry = DirectoryEntry | LinkEntry | FileEntry;

/** A reference to a sealed segment and the key that opens it. */
export interface Segment {
  readonly name: string;
  readonly key: Buffer;
  readonly sealedSize: number;
  readonly plainSize: number;
}

/** Where a chunk lies: `length` bytes at `offset` of the plaintext of segment number `segment`. */
export interface Chunk {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

/** A read-only sequence that decodes its records on demand. */
export interface Table<T> extends Iterable<T> {
  readonly length: number;
  at(index: number): T;
}

export interface ManifestComponent {
  readonly name: string;
  readonly rootfs: boolean;
  /** Decoded anew at every pass. */
  readonly entries: Iterable<Entry>;
}

export interface Manifest {
  readonly product: string;
  readonly version: string;
  readonly components: readonly ManifestComponent[];
  readonly segments: Table<Segment>;
  readonly chunks: Table<Chunk>;
}

const headSchema = z.strictObject({
  product: z.string().max(64),
  version: z.string().max(128),
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

/** Entries of one component, encoded as they are found. */
export class EntryList {
  readonly #writer = new ByteWriter();
  length = 0;

  add(entry: Entry): void {
    encodeEntry(this.#writer, entry);
    this.length++;
  }

  bytes(): Buffer {
    return this.#writer.bytes();
  }
}

export interface ManifestParts {
  readonly product: string;
  readonly version: string;
  readonly components: readonly { readonly name: string; readonly rootfs: boolean; readonly entries: EntryList }[];
  readonly segments: readonly Segment[];
  readonly chunks: Table<Chunk>;
}

/** Manifest to bytes. The same manifest gives the same bytes. */
export function encodeManifest({ product, version, components, segments, chunks }: ManifestParts): Buffer {
  const head = Buffer.from(
    JSON.stringify({
      product,
      version,
      segments: segments.length,
      chunks: chunks.length,
      components: components.map(c => ({ name: c.name, rootfs: c.rootfs, entries: c.entries.length })),
    }),
  );
  const writer = new ByteWriter();
  writer.raw(MAGIC).u32(head.length).raw(head);
  for (const { name, key, sealedSize, plainSize } of segments) {
    writer.raw(Buffer.from(name, 'hex')).raw(key).u32(sealedSize).u32(plainSize);
  }
  for (const { segment, offset, length } of chunks) writer.u32(segment).u32(offset).u32(length);
  return Buffer.concat([writer.bytes(), ...components.map(component => component.entries.bytes())]);
}

/**
 * Bytes to manifest; every count, reference and length is checked, and every entry is decoded once.
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
  const reader = new ByteReader(bytes);
  if (!reader.raw(MAGIC.length).equals(MAGIC)) throw new Error('it does not start as a manifest');
  const headLength = reader.u32();
  if (headLength > MOST.headBytes) throw new Error('its head is too long');
  const head = headSchema.parse(parseStrictJson(reader.raw(headLength)));
  if (new Set(head.components.map(c => c.name)).size < head.components.length)
    throw new Error('a component comes twice');
  const segments = segmentTable(reader.raw(head.segments * SEGMENT_RECORD));
  const chunks = chunkTable(reader.raw(head.chunks * CHUNK_RECORD));
  requireChunksInside(segments, chunks);
  let firstChunk = 0;
  const components = head.components.map(({ name, rootfs, entries }) => {
    const start = { offset: reader.offset, chunk: firstChunk };
    for (let i = 0; i < entries; i++) firstChunk = requireFileSize(decodeEntry(reader, firstChunk), firstChunk, chunks);
    return { name, rootfs, entries: entryRange(bytes.subarray(start.offset, reader.offset), start.chunk) };
  });
  if (firstChunk !== chunks.length) throw new Error('it has chunks that no file has');
  reader.requireEnd();
  return { product: head.product, version: head.version, components, segments, chunks };
}

function entryRange(bytes: Buffer, firstChunk: number): Iterable<Entry> {
  return {
    *[Symbol.iterator]() {
      const reader = new ByteReader(bytes);
      for (let chunk = firstChunk; !reader.atEnd; ) {
        const entry = decodeEntry(reader, chunk);
        if (entry.type === 'file') chunk += entry.chunkCount;
        yield entry;
      }
    },
  };
}

function encodeEntry(writer: ByteWriter, entry: Entry): void {
  const flags = (entry.type === 'file' && entry.sparse ? SPARSE : 0) | (entry.xattrs.length > 0 ? HAS_XATTRS : 0);
  writer.u8(TYPES.indexOf(entry.type)).u8(flags).u16(entry.mode).u32(entry.uid).u32(entry.gid).i64(entry.mtime);
  writer.u16(entry.path.length).raw(entry.path);
  if (entry.xattrs.length > 0) writer.u16(entry.xattrs.length);
  for (const { name, value } of entry.xattrs) {
    const bytes = Buffer.from(name, 'utf8');
    writer.u8(bytes.length).raw(bytes).u32(value.length).raw(value);
  }
  if (entry.type === 'file') writer.u64(entry.size).u32(entry.chunkCount);
  else if (entry.type !== 'directory') writer.u16(entry.target.length).raw(entry.target);
}

function decodeEntry(reader: ByteReader, firstChunk: number): Entry {
  const type = TYPES[reader.u8()];
  const flags = reader.u8();
  const mode = reader.u16();
  if (mode > 0o7777) throw new Error('a mode is out of range');
  if (flags > (SPARSE | HAS_XATTRS)) throw new Error('an entry has an unknown flag');
  const owner = { uid: reader.u32(), gid: reader.u32(), mtime: reader.i64() };
  const path = reader.raw(reader.u16());
  const common = { path, mode, ...owner, xattrs: flags & HAS_XATTRS ? decodeXattrs(reader) : [] };
  const sparse = (flags & SPARSE) !== 0;
  if (sparse && type !== 'file') throw new Error('only files are sparse');
  switch (type) {
    case 'directory':
      return { type, ...common };
    case 'file':
      return { type, ...common, sparse, size: reader.u64(), firstChunk, chunkCount: reader.u32() };
    case 'symlink':
    case 'hardlink':
      return { type, ...common, target: reader.raw(reader.u16()) };
    default:
      throw new Error('an entry has an unknown type');
  }
}

function decodeXattrs(reader: ByteReader): readonly Xattr[] {
  const count = reader.u16();
  if (count === 0 || count > MOST.xattrs) throw new Error('an entry has an odd number of attributes');
  const xattrs = Array.from({ length: count }, () => {
    const name = UTF8.decode(reader.raw(reader.u8()));
    const size = reader.u32();
    if (name === '' || name.includes('\0') || size > MOST.xattrBytes) throw new Error('an attribute is out of bounds');
    return { name, value: reader.raw(size) };
  });
  if (new Set(xattrs.map(xattr => xattr.name)).size < count) throw new Error('an attribute comes twice');
  return xattrs;
}

/** The chunks of a file add up to its size: what is written is bounded by what was declared. Returns the next free chunk. */
function requireFileSize(entry: Entry, firstChunk: number, chunks: Table<Chunk>): number {
  if (entry.type !== 'file') return firstChunk;
  const next = firstChunk + entry.chunkCount;
  if (next > chunks.length) throw new Error('a file points past the chunk table');
  let size = 0;
  for (let i = firstChunk; i < next; i++) size += chunks.at(i).length;
  if (size !== entry.size) throw new Error('the chunks of a file do not add up to its size');
  return next;
}

function requireChunksInside(segments: Table<Segment>, chunks: Table<Chunk>): void {
  const sizes = Array.from(segments, segment => segment.plainSize);
  for (const { segment, offset, length } of chunks) {
    if (segment >= sizes.length) throw new Error('a chunk points past the segment table');
    if (length === 0) throw new Error('a chunk is empty');
    if (offset + length > (sizes[segment] as number)) throw new Error('a chunk leaves its segment');
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
    return { segment: bytes.readUInt32BE(o), offset: bytes.readUInt32BE(o + 4), length: bytes.readUInt32BE(o + 8) };
  });
}

/** A table that reads its records by a function. */
export function table<T>(length: number, read: (index: number) => T): Table<T> {
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
