// A signer's private keys under a passphrase: scrypt (RFC 7914) makes the key, AES-256-GCM seals them. The public halves
// stand beside them in the clear and are bound in. The format is documented in docs/root-ceremony.md.
import { createPrivateKey, type KeyObject, randomBytes, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { z } from 'zod';
import { base64url, canonicalJson, fromBase64url } from './encoding.ts';
import { signingError } from './errors.ts';
import { publicKeyOf } from './keys.ts';
import { openSecret, sealSecret } from './sealed-secret.ts';

const FORMAT = 'rollover-key/1';

/** About 0.4 s and 128 MiB for each guess. The cost stands in the file, so that new files can ask for more. */
const COST = { n: 2 ** 17, r: 8, p: 1 } as const;
/** A file from elsewhere must not ask for all of the memory: 1 GiB. */
const MOST_N = 2 ** 20;
const SALT_BYTES = 16;
const MOST_KEYS = 4;

const envelopeSchema = z.strictObject({
  format: z.literal(FORMAT),
  name: z.string().min(1).max(64),
  keys: z
    .array(z.strictObject({ keytype: z.string(), scheme: z.string(), keyval: z.strictObject({ public: z.string() }) }))
    .min(1)
    .max(MOST_KEYS),
  kdf: z.strictObject({
    name: z.literal('scrypt'),
    n: z
      .int()
      .min(2 ** 14)
      .max(MOST_N)
      .refine(n => Number.isInteger(Math.log2(n)), 'not a power of two'),
    r: z.literal(COST.r),
    p: z.literal(COST.p),
    salt: z.base64url().max(64),
  }),
  cipher: z.literal('aes-256-gcm'),
  sealed: z.base64url().max(64 * 1024),
});

export type KeyEnvelope = z.infer<typeof envelopeSchema>;

/** Seals private keys under `passphrase`; `name` says whose they are. */
export async function sealKeys(name: string, keys: readonly KeyObject[], passphrase: string): Promise<KeyEnvelope> {
  const head = {
    format: FORMAT,
    name,
    keys: keys.map(publicKeyOf),
    kdf: { name: 'scrypt', ...COST, salt: base64url(randomBytes(SALT_BYTES)) },
    cipher: 'aes-256-gcm',
  } as const;
  const secret = Buffer.from(keys.map(key => key.export({ type: 'pkcs8', format: 'pem' })).join(''));
  const sealed = sealSecret(await derive(passphrase, head.kdf), purposeOf(head), secret);
  return { ...head, sealed: base64url(sealed) };
}

/**
 * The private keys of an envelope.
 *
 * @throws `key-locked` for another passphrase, or when anything in the file was altered
 */
export async function openKeys(envelope: KeyEnvelope, passphrase: string): Promise<readonly KeyObject[]> {
  const { sealed, ...head } = envelope;
  const kek = await derive(passphrase, head.kdf);
  try {
    const pem = openSecret(kek, purposeOf(head), fromBase64url(sealed)).toString('utf8');
    return privateKeysIn(pem);
  } catch (cause) {
    throw signingError('key-locked', `The passphrase does not open the key of ${head.name}.`, { cause });
  }
}

/** The envelope that a file holds; undefined when it is something else. Proves nothing about what it says. */
export function parseEnvelope(text: string): KeyEnvelope | undefined {
  try {
    return envelopeSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

const PEM_BLOCK = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+-----END [A-Z ]*PRIVATE KEY-----/g;

/** The private keys of a PEM text. @throws TypeError for none, or more than a signer has */
export function privateKeysIn(pem: string): readonly KeyObject[] {
  const blocks = pem.match(PEM_BLOCK) ?? [];
  if (blocks.length === 0 || blocks.length > MOST_KEYS) throw new TypeError(`${blocks.length} keys`);
  return blocks.map(block => createPrivateKey(block));
}

/** Everything but the sealed part is bound in: a public half cannot be exchanged unnoticed. */
function purposeOf(head: Omit<KeyEnvelope, 'sealed'>): string {
  return canonicalJson(head).toString('utf8');
}

function derive(passphrase: string, { n, r, p, salt }: KeyEnvelope['kdf']): Promise<Buffer> {
  const options = { N: n, r, p, maxmem: 2 * 128 * n * r };
  return scryptAsync(passphrase.normalize('NFKC'), fromBase64url(salt), 32, options);
}

const scryptAsync = promisify(scrypt) as (
  passphrase: string,
  salt: Uint8Array,
  length: number,
  options: { N: number; r: number; p: number; maxmem: number },
) => Promise<Buffer>;
