// A support bundle: what a site lets its vendor look at when something is wrong. The files are packed, cut into parts, and the parts
// sealed under a key of their own; that key travels in the head, which the site signs and seals to the vendor's report key as it does
// with reports. The head names every part, so who stores and carries a bundle can neither read nor change it.
import { type KeyObject, randomBytes } from 'node:crypto';
import { z } from 'zod';
import {
  base64url,
  fromBase64url,
  hasCode,
  openSecret,
  type SealedMessage,
  sealedMessageSchema,
  sealSecret,
  sha256Hex,
  sha256HexSchema,
} from '../signing/index.ts';
import { plainText, siteIdSchema } from './activation.ts';
import { bundleError } from './errors.ts';
import { type OpenedMessage, openSigned, sealSigned } from './signed-message.ts';
import { isSupportName, MOST_SUPPORT_FILES, packFiles, type SupportFile, unpackFiles } from './support-archive.ts';

const KEY_BYTES = 32;
/** Of AES-GCM: nonce and tag. */
const SEAL_BYTES = 28;
/** Of a sealed part; the last one has what is left. Small enough for a slow line and a busy service. */
export const SUPPORT_PART_BYTES = 1024 * 1024;
const MOST_PARTS = 32;
export const MOST_SUPPORT_BYTES = MOST_PARTS * SUPPORT_PART_BYTES;
/** In JSON. */
export const SUPPORT_HEAD_BYTES = 64 * 1024;
export const SUPPORT_NOTE_LENGTH = 256;
/** Why it was made, in the operator's words. */
export const supportNote = plainText(SUPPORT_NOTE_LENGTH);

const headSchema = z
  .object({
    site: siteIdSchema,
    at: z.iso.datetime(),
    agentVersion: plainText(64),
    note: supportNote.optional(),
    files: z
      .array(z.object({ name: z.string().refine(isSupportName), bytes: z.int().nonnegative() }))
      .min(1)
      .max(MOST_SUPPORT_FILES),
    /** What the parts are sealed under. */
    key: z.base64url().length(43),
    /** Of all parts. */
    bytes: z.int().positive().max(MOST_SUPPORT_BYTES),
    /** SHA-256 of each, in order. */
    parts: z.array(sha256HexSchema).min(1).max(MOST_PARTS),
  })
  .refine(({ bytes, parts }) => parts.length === Math.ceil(bytes / SUPPORT_PART_BYTES), 'parts of another size');

/** What a bundle is, and the key to it. Unknown fields are dropped: the agent may be newer than the service. */
export type SupportHead = z.infer<typeof headSchema>;

const KIND = { type: 'rollover-support+jws', purpose: 'support', schema: headSchema };

/** A bundle as it is stored and carried. */
export interface SupportBundle {
  readonly head: SealedMessage;
  /** In order. */
  readonly parts: readonly Buffer[];
}

export interface SupportSubject {
  readonly site: string;
  readonly at: Date;
  readonly agentVersion: string;
  readonly note?: string | undefined;
}

/**
 * Packs, signs and seals files.
 *
 * @param key of the site
 * @param keySet the verified bytes of the target `reports/keys.json`
 * @throws `support-too-large`
 */
export async function sealSupportBundle(
  { at, ...subject }: SupportSubject,
  files: readonly SupportFile[],
  key: KeyObject,
  keySet: Uint8Array,
): Promise<SupportBundle> {
  const archive = await packFiles(files, at);
  const secret = randomBytes(KEY_BYTES);
  const parts = pieces(archive, SUPPORT_PART_BYTES - SEAL_BYTES).map((plain, index) =>
    sealSecret(secret, placeOf(index), plain),
  );
  const said: SupportHead = {
    ...subject,
    at: at.toISOString(),
    files: files.map(({ name, bytes }) => ({ name, bytes: bytes.length })),
    key: base64url(secret),
    bytes: parts.reduce((sum, part) => sum + part.length, 0),
    parts: parts.map(sha256Hex),
  };
  return { head: await sealSigned(KIND, said, key, keySet), parts };
}

/** @throws `message-unopenable`, and whatever is wrong with its content */
export function openSupportHead(head: SealedMessage, secret: Uint8Array): Promise<OpenedMessage<SupportHead>> {
  return openSigned(KIND, head, secret);
}

/** What names a bundle: the same one sent twice has one name. */
export function supportBundleId(head: SealedMessage): string {
  return sha256Hex(JSON.stringify(sealedMessageSchema.parse(head)));
}

/** How large a part has to be. */
export function partBytes({ bytes }: Pick<SupportHead, 'bytes'>, index: number): number {
  return Math.min(SUPPORT_PART_BYTES, bytes - index * SUPPORT_PART_BYTES);
}

/** What it takes to open the parts of a bundle. */
export type SupportKey = Pick<SupportHead, 'key' | 'parts'>;

/** The files of a bundle. @throws `support-corrupt` */
export async function openSupportParts(
  { key, parts: names }: SupportKey,
  parts: readonly Uint8Array[],
): Promise<readonly SupportFile[]> {
  const damaged = parts.findIndex((part, index) => sha256Hex(part) !== names[index]);
  if (damaged >= 0 || parts.length !== names.length) throw corrupt(damaged < 0 ? parts.length : damaged);
  const plain = parts.map((part, index) => openPart(fromBase64url(key), index, part));
  return unpackFiles(Buffer.concat(plain));
}

function openPart(secret: Uint8Array, index: number, part: Uint8Array): Buffer {
  try {
    return openSecret(secret, placeOf(index), part);
  } catch (error) {
    throw hasCode(error, 'secret-unsealable') ? corrupt(index, error) : error;
  }
}

function placeOf(index: number): string {
  return `rollover/v1 support part ${index}`;
}

function corrupt(index: number, cause?: unknown): Error {
  return bundleError('support-corrupt', `Part ${index + 1} of the support bundle is damaged or missing.`, { cause });
}

export function pieces(bytes: Buffer, size: number): readonly Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}
