// Bytes and text: the encodings and digests that every room shares. No policy here.
import { hash } from 'node:crypto';
import { z } from 'zod';

export { canonicalJson } from './canonical-json.ts';

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** Lower-case hexadecimal SHA-256 of `data`. */
export function sha256Hex(data: Uint8Array | string): string {
  return hash('sha256', data, 'hex');
}

/** SHA-256 of `data` as 32 bytes. */
export function sha256(data: Uint8Array | string): Buffer {
  return hash('sha256', data, 'buffer');
}

/** Bytes to unpadded base64url. */
export function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}

/** Unpadded base64url to bytes. @throws `TypeError` for any text that {@link base64url} would not have written */
export function fromBase64url(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (base64url(bytes) !== text) throw new TypeError('not base64url');
  return bytes;
}

const SHA256_HEX = /^[0-9a-f]{64}$/;

/** True for 64 lower-case hexadecimal digits. */
export function isSha256Hex(text: unknown): text is string {
  return typeof text === 'string' && SHA256_HEX.test(text);
}

/** A SHA-256 in a document or a request. */
export const sha256HexSchema = z.string().regex(SHA256_HEX);

/** A count with its noun: `1 node`, `3 nodes`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
