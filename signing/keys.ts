// Signing keys: making them, naming them, using them. What an algorithm is stands in `algorithms.ts`.
// Where private keys are kept is the caller's business (`io/key-files.ts`).
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { ALGORITHMS, type Algorithm, type AlgorithmClass } from './algorithms.ts';
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

/** What new keys are made with: one of each class, so that neither a quantum computer nor a flaw in the new one is enough. */
export const NEW_KEYS = ['ed25519', 'ml-dsa-65/1'] as const;

export type NewKeyScheme = (typeof NEW_KEYS)[number];

/** TUF key id: SHA-256 of the canonical JSON of the key (section 4.2.2). */
export function keyIdOf(key: PublicKey): string {
  return sha256Hex(canonicalJson(key));
}

/** A public key that has been read, to be asked more than one thing. */
export interface Verifier {
  /** What the key is, under whatever id, scheme and spelling it is listed: a threshold counts it once. */
  readonly identity: string;
  /** True when `signature` is the key's over `bytes`; never an exception. */
  verifies(bytes: Uint8Array, signature: Uint8Array): boolean;
}

/** Undefined for an unknown scheme and for a key that cannot be read. */
export function verifierOf(listed: PublicKey): Verifier | undefined {
  const imported = importedKey(listed);
  if (!imported) return undefined;
  const { algorithm, key } = imported;
  return {
    // A JWK, because an SPKI keeps the form (compressed or not) in which a point was written.
    get identity() {
      return sha256Hex(canonicalJson(key.export({ format: 'jwk' })));
    },
    verifies(bytes, signature) {
      try {
        return algorithm.verify(key, bytes, signature);
      } catch {
        return false;
      }
    },
  };
}

/** What a token has to sign with the plain algorithm of `key`, so that it is a signature over `bytes`. */
export function messageFor(key: PublicKey, bytes: Uint8Array): Uint8Array {
  return (algorithmOf(key) as Algorithm).message(bytes);
}

/** The class of a key's algorithm; undefined for a scheme that is not known, or not of that key type. */
export function classOf(key: PublicKey): AlgorithmClass | undefined {
  return algorithmOf(key)?.class;
}

/** True when `signature` is `key`'s over `bytes`. Unknown schemes and malformed keys are false, never an exception. */
export function verifySignature(key: PublicKey, bytes: Uint8Array, signature: Uint8Array): boolean {
  return verifierOf(key)?.verifies(bytes, signature) ?? false;
}

/** The TUF form of a key. Private or public halves both do. @throws TypeError for a kind of key that no scheme is for */
export function publicKeyOf(key: KeyObject): PublicKey {
  const publicHalf = key.type === 'private' ? createPublicKey(key) : key;
  for (const [scheme, algorithm] of ALGORITHMS) {
    if (algorithm.nodeType !== (publicHalf.asymmetricKeyType as string)) continue;
    const keytype = algorithm.keytypes[0] as string;
    const listed = { keytype, scheme, keyval: { public: algorithm.exportKey(publicHalf) } };
    if (importedKey(listed)) return listed; // not so on another curve
  }
  throw new TypeError(`no signature scheme for a key of the kind ${publicHalf.asymmetricKeyType}`);
}

/** A new private key. */
export function generateSigningKey(scheme: NewKeyScheme = 'ed25519'): KeyObject {
  // The types of Node do not know ML-DSA yet.
  if (scheme === 'ml-dsa-65/1') return generateKeyPairSync('ml-dsa-65' as 'ed25519').privateKey;
  return generateKeyPairSync('ed25519').privateKey;
}

/** A signer that holds its private key in memory. */
export function signerOf(privateKey: KeyObject): Signer {
  const key = publicKeyOf(privateKey);
  const algorithm = algorithmOf(key) as Algorithm;
  return { key, keyId: keyIdOf(key), sign: async bytes => algorithm.sign(privateKey, bytes) };
}

function algorithmOf({ keytype, scheme }: PublicKey): Algorithm | undefined {
  const algorithm = ALGORITHMS.get(scheme);
  return algorithm?.keytypes.includes(keytype) ? algorithm : undefined;
}

function importedKey(key: PublicKey): { readonly algorithm: Algorithm; readonly key: KeyObject } | undefined {
  const algorithm = algorithmOf(key);
  try {
    return algorithm && { algorithm, key: algorithm.importKey(key.keyval.public) };
  } catch {
    return undefined;
  }
}
