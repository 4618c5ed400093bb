// Messages that only one organization reads, whatever stands between: HPKE (RFC 9180, base mode, single shot) to a key whose
// public half is published as a signed target. Who wrote a message is not said by this: its content is signed.
import { z } from 'zod';
import { base64url, fromBase64url, sha256Hex, sha256HexSchema } from './encoding.ts';
import { signingError } from './errors.ts';
import { cipherSuite, derive, ENCAPSULATED_LENGTH, HPKE_SUITE, SECRET_BYTES } from './hpke.ts';
import { parseStrictJson } from './strict-json.ts';

/** Of a secret that messages are sealed to. */
export const MESSAGE_SECRET_BYTES = SECRET_BYTES;
/** Base64url digits: 36 KiB of plaintext. */
const CIPHERTEXT_LENGTH = 48 * 1024;

const keySetSchema = z.object({
  keys: z
    .array(z.object({ kid: sha256HexSchema, suite: z.string().max(64), publicKey: z.base64url().max(4096) }))
    .min(1)
    .max(8),
});

export const sealedMessageSchema = z.strictObject({
  format: z.literal('rollover-sealed/1'),
  suite: z.literal(HPKE_SUITE),
  /** SHA-256 of the public key that it is sealed to. */
  key: sha256HexSchema,
  encapsulated: z.string().length(ENCAPSULATED_LENGTH),
  ciphertext: z.base64url().max(CIPHERTEXT_LENGTH),
});

export type SealedMessage = z.infer<typeof sealedMessageSchema>;

/** The key set that is published for a secret, in JSON: its public half. */
export async function messageKeySet(secret: Uint8Array): Promise<Buffer> {
  const publicKey = await publicKeyOfSecret(secret);
  const keys = [{ kid: sha256Hex(publicKey), suite: HPKE_SUITE, publicKey: base64url(publicKey) }];
  return Buffer.from(JSON.stringify({ keys }));
}

/** By which a message says that it is sealed to this secret. */
export async function messageKeyId(secret: Uint8Array): Promise<string> {
  return sha256Hex(await publicKeyOfSecret(secret));
}

/**
 * Seals a message to the first key of the set that this version knows how to use.
 *
 * @param purpose keeps one kind of message from passing as another
 * @param keySet the verified bytes of a published key set
 * @throws TypeError for a set without such a key, RangeError for a message that nobody would take
 */
export async function sealMessage(purpose: string, message: Uint8Array, keySet: Uint8Array): Promise<SealedMessage> {
  const { keys } = keySetSchema.parse(parseStrictJson(keySet));
  const known = keys.find(({ suite }) => suite === HPKE_SUITE);
  if (!known) throw new TypeError(`no key for ${HPKE_SUITE}`);
  const suite = await cipherSuite();
  const publicKey = await suite.DeserializePublicKey(fromBase64url(known.publicKey));
  const sealed = await suite.Seal(publicKey, message, { info: info(purpose, known.kid) });
  const ciphertext = base64url(sealed.ciphertext);
  if (ciphertext.length > CIPHERTEXT_LENGTH) throw new RangeError(`a message of ${message.length} bytes`);
  const encapsulated = base64url(sealed.encapsulatedSecret);
  return { format: 'rollover-sealed/1', suite: HPKE_SUITE, key: known.kid, encapsulated, ciphertext };
}

/** Opens what {@link sealMessage} made for the same purpose. @throws `message-unopenable` */
export async function openMessage(purpose: string, sealed: SealedMessage, secret: Uint8Array): Promise<Buffer> {
  try {
    const suite = await cipherSuite();
    const opened = await suite.Open(
      await keyPair(secret),
      fromBase64url(sealed.encapsulated),
      fromBase64url(sealed.ciphertext),
      {
        info: info(purpose, sealed.key),
      },
    );
    return Buffer.from(opened);
  } catch (cause) {
    throw signingError('message-unopenable', `The sealed ${purpose} does not open.`, { cause });
  }
}

async function publicKeyOfSecret(secret: Uint8Array): Promise<Uint8Array> {
  return (await cipherSuite()).SerializePublicKey((await keyPair(secret)).publicKey);
}

async function keyPair(secret: Uint8Array) {
  return (await cipherSuite()).DeriveKeyPair(derive(secret, 'rollover/v1 message-kem'), true);
}

function info(purpose: string, key: string): Buffer {
  return Buffer.from(`rollover/v1 message\n${purpose}\n${key}`, 'utf8');
}
