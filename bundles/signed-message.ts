// What a site tells its vendor and nobody else: signed with the site's key, then sealed to the vendor's report key.
import type { KeyObject } from 'node:crypto';
import type { z } from 'zod';
import {
  keyIdOf,
  openMessage,
  publicKeyOf,
  publicKeySet,
  readJws,
  type SealedMessage,
  sealMessage,
  signJws,
  verifyJws,
} from '../signing/index.ts';

/** A kind of message. */
export interface MessageKind<S extends z.ZodType> {
  /** Bound into the signature and into the seal: no kind passes as another. */
  readonly type: string;
  readonly purpose: string;
  readonly schema: S;
}

/** A message that is open, and whose signature has not been looked at. */
export interface OpenedMessage<T> {
  readonly unverified: T;
  /** What it says, when the site of this key signed it. @param publicKey hex. @throws whatever is wrong with it */
  verify(publicKey: string): Promise<T>;
}

/** @param keySet the verified bytes of the target `reports/keys.json` */
export async function sealSigned<S extends z.ZodType>(
  { type, purpose, schema }: MessageKind<S>,
  said: z.output<S>,
  key: KeyObject,
  keySet: Uint8Array,
): Promise<SealedMessage> {
  const signed = await signJws(type, schema.parse(said) as object, key, keyIdOf(publicKeyOf(key)));
  return sealMessage(purpose, Buffer.from(signed), keySet);
}

/** @throws `message-unopenable`, and whatever is wrong with its content */
export async function openSigned<S extends z.ZodType>(
  { type, purpose, schema }: MessageKind<S>,
  sealed: SealedMessage,
  secret: Uint8Array,
): Promise<OpenedMessage<z.output<S>>> {
  const signed = (await openMessage(purpose, sealed, secret)).toString('utf8');
  return {
    unverified: schema.parse(readJws(signed).payload),
    verify: async publicKey => schema.parse((await verifyJws(type, signed, publicKeySet(publicKey))).payload),
  };
}
