// Signing keys: making them, naming them, using them. The table ALGORITHMS is the only place that knows a scheme.
// Where private keys are kept is the caller's business (`io/key-files.ts`).
import { createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { canonicalJson, sha256Hex } from './encoding.ts';

/** A public key as TUF writes it (TUF 1.0.31, section 4.2). */
export interface PublicKey {
  readonly keytype: string;
  readonly scheme: string;
  readonly keyval: { readonly public: string };
}

/** Something that can sign: a key in memory, a file, a token. Asynchronous, because tokens and people are. */
export interface Signer {
  readonly keyId: string;
  readonly key: PublicKey;
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}

interface Algorithm {
  /** Reads TUF's `keyval.public`; throws on anything malformed. */
  importKey(key: PublicKey): KeyObject;
}

/** DER prefix of an Ed25519 SubjectPublicKeyInfo (RFC 8410); the 32 key bytes follow it. */
const ED25519_SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map([
  [
    'ed25519',
    {
      importKey(key: PublicKey) {
        if (!/^[0-9a-f]{64}$/.test(key.keyval.public)) throw new TypeError('an Ed25519 key is 32 bytes of hex');
        const der = Buffer.concat([ED25519_SPKI_PREFIX, Buffer.from(key.keyval.public, 'hex')]);
        return createPublicKey({ key: der, format: 'der', type: 'spki' });
      },
    },
  ],
]);

/** TUF key id: SHA-256 of the canonical JSON of the key (section 4.2.2). */
export function keyIdOf(key: PublicKey): string {
  return sha256Hex(canonicalJson(key));
}

/** True when `signature` is `key`'s over `bytes`. Unknown schemes and malformed keys are false, never an exception. */
export function verifySignature(key: PublicKey, bytes: Uint8Array, signature: Uint8Array): boolean {
  const algorithm = key.keytype === key.scheme ? ALGORITHMS.get(key.scheme) : undefined;
  if (!algorithm) return false;
  try {
    return verify(null, bytes, algorithm.importKey(key), signature);
  } catch {
    return false;
  }
}

/** The TUF form of an Ed25519 key. Private or public halves both do. */
export function publicKeyOf(key: KeyObject): PublicKey {
  const publicHalf = key.type === 'private' ? createPublicKey(key) : key;
  if (publicHalf.asymmetricKeyType !== 'ed25519') throw new TypeError(`not an Ed25519 key: ${key.asymmetricKeyType}`);
  const der = publicHalf.export({ format: 'der', type: 'spki' });
  const raw = der.subarray(ED25519_SPKI_PREFIX.length).toString('hex');
  return { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: raw } };
}

/** A new Ed25519 private key. */
export function generateSigningKey(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey;
}

/** A signer that holds its private key in memory. */
export function signerOf(privateKey: KeyObject): Signer {
  const key = publicKeyOf(privateKey);
  return { key, keyId: keyIdOf(key), sign: async bytes => sign(null, bytes, privateKey) };
}
