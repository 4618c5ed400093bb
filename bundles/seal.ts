// Seals and opens segments and manifests: zstd, then AES-256-GCM. The layout is specified in FORMAT.md.
// Deterministic on purpose: equal plaintext of one product gives equal bytes, so releases share segments.
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { sha256, sha256Hex } from '../signing/index.ts';
import { bundleError } from './errors.ts';
import { giveBack } from './workers/memory.ts';

const SEGMENT_MAGIC = Buffer.from('RLVRSEG1');
const MANIFEST_MAGIC = Buffer.from('RLVRMAN1');
const INDEX_MAGIC = Buffer.from('RLVRIDX1');

export const LIMITS = {
  /** A segment is closed when it reaches the target; the last chunk may carry it past that by one chunk. */
  segmentTargetBytes: 1024 * 1024,
  segmentPlainBytes: 2 * 1024 * 1024,
  manifestPlainBytes: 512 * 1024 * 1024,
} as const;

export const KEY_BYTES = 32;
const TAG_BYTES = 16;
const MAGIC_BYTES = 8;
const SIZE_BYTES = 4;
/** Every key encrypts one message only (it is derived from that message), so a fixed nonce is safe. */
const NONCE = Buffer.alloc(12);
const ZSTD_LEVEL = 3;

/** A sealed object: its name is the SHA-256 of its bytes, so that anyone can verify it without a key. */
export interface Sealed {
  readonly name: string;
  readonly key: Buffer;
  readonly bytes: Buffer;
}

/** Seals the concatenated chunks of a segment under a key derived from the product's secret and the content. */
export function sealSegment(productKey: Uint8Array, plain: Uint8Array): Sealed {
  return seal(SEGMENT_MAGIC, productKey, plain);
}

/**
 * Opens a segment.
 *
 * @param plainSize what the manifest says
 * @throws `segment-corrupt`
 */
export function openSegment(name: string, key: Uint8Array, bytes: Uint8Array, plainSize: number): Buffer {
  try {
    if (sha256Hex(bytes) !== name) throw new Error('digest');
    return open(SEGMENT_MAGIC, key, bytes, size => size === plainSize && size <= LIMITS.segmentPlainBytes);
  } catch (cause) {
    throw bundleError('segment-corrupt', `Segment ${name} is not the one that was signed.`, { cause });
  }
}

/** Seals an encoded manifest; its key is the content key of the release. */
export function sealManifest(productKey: Uint8Array, plain: Uint8Array): Sealed {
  return seal(MANIFEST_MAGIC, productKey, plain);
}

/**
 * Opens a sealed manifest with the content key.
 *
 * @throws `manifest-corrupt`
 */
export function openSealedManifest(name: string, contentKey: Uint8Array, bytes: Uint8Array): Buffer {
  try {
    if (sha256Hex(bytes) !== name) throw new Error('digest');
    return open(MANIFEST_MAGIC, contentKey, bytes, size => size <= LIMITS.manifestPlainBytes);
  } catch (cause) {
    throw bundleError('manifest-corrupt', `Manifest ${name} is not the one that was signed.`, { cause });
  }
}

/**
 * Seals the digests of a release's chunks under a key derived from its content key: for the vendor's packer, never for a
 * site. A content key belongs to one manifest, and a manifest to one index.
 */
export function sealIndex(
  contentKey: Uint8Array,
  digests: Uint8Array,
): { readonly name: string; readonly bytes: Buffer } {
  const bytes = encrypt(INDEX_MAGIC, indexKey(contentKey), compress(digests), digests.length);
  return { name: sha256Hex(bytes), bytes };
}

/**
 * Opens an index of chunk digests.
 *
 * @throws `manifest-corrupt`
 */
export function openSealedIndex(name: string, contentKey: Uint8Array, bytes: Uint8Array): Buffer {
  try {
    if (sha256Hex(bytes) !== name) throw new Error('digest');
    return open(INDEX_MAGIC, indexKey(contentKey), bytes, size => size <= LIMITS.manifestPlainBytes);
  } catch (cause) {
    throw bundleError('manifest-corrupt', `The chunk index ${name} is damaged.`, { cause });
  }
}

function indexKey(contentKey: Uint8Array): Buffer {
  return createHmac('sha256', contentKey).update(INDEX_MAGIC).digest();
}

function seal(magic: Buffer, productKey: Uint8Array, plain: Uint8Array): Sealed {
  const packed = compress(plain);
  const key = createHmac('sha256', productKey).update(magic).update(sha256(packed)).digest();
  const bytes = encrypt(magic, key, packed, plain.length);
  giveBack(packed);
  return { name: sha256Hex(bytes), key, bytes };
}

/** One frame. A buffer that it filled exactly would be flushed once more by Node, and an empty frame be appended. */
function compress(plain: Uint8Array): Buffer {
  return zstdCompressSync(plain, {
    chunkSize: Math.max(mostCompressed(plain.length) + 1, 1024),
    params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL },
  });
}

/** The size that zstd never exceeds (`ZSTD_COMPRESSBOUND`). */
function mostCompressed(size: number): number {
  const small = 128 * 1024;
  return size + (size >> 8) + (size < small ? (small - size) >> 11 : 0);
}

/** Layout: magic (8), plain size (u32 BE), ciphertext of the zstd frame, tag (16). The head is authenticated too. */
function encrypt(magic: Buffer, key: Uint8Array, packed: Uint8Array, plainSize: number): Buffer {
  const head = Buffer.alloc(MAGIC_BYTES + SIZE_BYTES);
  magic.copy(head);
  head.writeUInt32BE(plainSize, MAGIC_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, NONCE).setAAD(head);
  const body = cipher.update(packed); // all of it: GCM holds nothing back
  cipher.final();
  const sealed = Buffer.concat([head, body, cipher.getAuthTag()]);
  giveBack(body);
  return sealed;
}

/** Nothing is decompressed before the tag has been checked, and never more than was promised. */
function open(magic: Buffer, key: Uint8Array, bytes: Uint8Array, accepts: (plainSize: number) => boolean): Buffer {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const head = buffer.subarray(0, MAGIC_BYTES + SIZE_BYTES);
  if (buffer.length < head.length + TAG_BYTES || !head.subarray(0, MAGIC_BYTES).equals(magic)) throw new Error('head');
  const plainSize = head.readUInt32BE(MAGIC_BYTES);
  if (!accepts(plainSize)) throw new Error('another size than promised');
  const body = buffer.subarray(head.length, buffer.length - TAG_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', key, NONCE, { authTagLength: TAG_BYTES });
  decipher.setAAD(head).setAuthTag(buffer.subarray(buffer.length - TAG_BYTES));
  const packed = decipher.update(body); // all of it: GCM holds nothing back
  decipher.final();
  const plain = decompress(packed, plainSize);
  giveBack(packed);
  return plain;
}

/** One frame, all of the input, and exactly what was promised. */
function decompress(packed: Uint8Array, plainSize: number): Buffer {
  const chunkSize = Math.max(plainSize + 1, 1024); // one buffer holds it all
  const maxOutputLength = Math.max(plainSize, 1);
  const { buffer, engine } = zstdDecompressSync(packed, {
    chunkSize,
    maxOutputLength,
    info: true,
  }) as unknown as Inflated;
  if (engine.bytesWritten !== packed.length) throw new Error('something follows the frame');
  if (buffer.length !== plainSize) throw new Error('shorter than promised');
  return buffer;
}

/** What `info: true` makes of the answer; `bytesWritten` counts the input that was used. */
interface Inflated {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}
