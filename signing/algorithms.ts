// The signature algorithms that TUF metadata may use, as data: how a public key is read, what exactly is signed, and which
// class of mathematics it stands on. To retire one, take it out of the policies in `policy.ts`, one root after the last key
// of it has left (docs/decisions).
import { constants, createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

/** What would break it: `classical` falls to a large quantum computer, `post-quantum` to a discovery about lattices. */
export type AlgorithmClass = 'classical' | 'post-quantum';

export interface Algorithm {
  readonly class: AlgorithmClass;
  /** Values of `keytype` it is known under; the first is written. */
  readonly keytypes: readonly string[];
  /** What Node calls such a key. */
  readonly nodeType: string;
  /** Reads `keyval.public`; throws on anything else. */
  importKey(text: string): KeyObject;
  /** Writes `keyval.public`. */
  exportKey(key: KeyObject): string;
  /** What a token or a service is given to sign with the plain algorithm, where `sign` would do it here. */
  message(bytes: Uint8Array): Uint8Array;
  sign(key: KeyObject, bytes: Uint8Array): Buffer;
  verify(key: KeyObject, bytes: Uint8Array, signature: Uint8Array): boolean;
}

/** DER prefix of an Ed25519 SubjectPublicKeyInfo (RFC 8410); the 32 key bytes follow it. */
const ED25519_SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

const ed25519: Algorithm = {
  class: 'classical',
  keytypes: ['ed25519'],
  nodeType: 'ed25519',
  importKey(text) {
    if (!/^[0-9a-f]{64}$/.test(text)) throw new TypeError('an Ed25519 key is 32 bytes of hex');
    const der = Buffer.concat([ED25519_SPKI_PREFIX, Buffer.from(text, 'hex')]);
    return createPublicKey({ key: der, format: 'der', type: 'spki' });
  },
  exportKey: key => key.export({ format: 'der', type: 'spki' }).subarray(ED25519_SPKI_PREFIX.length).toString('hex'),
  message: bytes => bytes,
  sign: (key, bytes) => sign(null, bytes, key),
  verify: (key, bytes, signature) => verify(null, bytes, key, signature),
};

/** ECDSA over a NIST curve; signatures are DER (TUF 1.0.31, section 4.2). */
function ecdsa(curve: string, digest: string, bits: number): Algorithm {
  return {
    class: 'classical',
    keytypes: ['ecdsa', `ecdsa-sha2-nistp${bits}`],
    nodeType: 'ec',
    importKey: text => pemKey(text, key => key.asymmetricKeyDetails?.namedCurve === curve),
    exportKey: spkiPem,
    message: bytes => bytes,
    sign: (key, bytes) => sign(digest, bytes, key),
    verify: (key, bytes, signature) => verify(digest, bytes, key, signature),
  };
}

const RSA_BITS = { least: 2048, most: 8192 } as const;

const rsaPss: Algorithm = {
  class: 'classical',
  keytypes: ['rsa'],
  nodeType: 'rsa',
  importKey: text =>
    pemKey(text, key => {
      const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
      return key.asymmetricKeyType === 'rsa' && bits >= RSA_BITS.least && bits <= RSA_BITS.most;
    }),
  exportKey: spkiPem,
  message: bytes => bytes,
  sign: (key, bytes) => sign('sha256', bytes, { key, ...PSS }),
  verify: (key, bytes, signature) => verify('sha256', bytes, { key, ...PSS }, signature),
};

const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO } as const;

/** Pure ML-DSA with an empty context over `"tuf" || 0x01 || SHA-512(bytes)` (FIPS 204; TAP 21, version 1). */
function mlDsa(size: number): Algorithm {
  const prefix = Buffer.from('tuf\x01', 'latin1');
  const presigned = (bytes: Uint8Array) => Buffer.concat([prefix, createHash('sha512').update(bytes).digest()]);
  return {
    class: 'post-quantum',
    keytypes: ['ml-dsa'],
    nodeType: `ml-dsa-${size}`,
    importKey: text => pemKey(text, key => (key.asymmetricKeyType as string) === `ml-dsa-${size}`),
    exportKey: spkiPem,
    message: presigned,
    sign: (key, bytes) => sign(null, presigned(bytes), key),
    verify: (key, bytes, signature) => verify(null, presigned(bytes), key, signature),
  };
}

/** By the name that metadata gives as `scheme`. */
export const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map([
  ['ed25519', ed25519],
  ['ecdsa-sha2-nistp256', ecdsa('prime256v1', 'sha256', 256)],
  ['ecdsa-sha2-nistp384', ecdsa('secp384r1', 'sha384', 384)],
  ['rsassa-pss-sha256', rsaPss],
  ['ml-dsa-44/1', mlDsa(44)],
  ['ml-dsa-65/1', mlDsa(65)],
  ['ml-dsa-87/1', mlDsa(87)],
]);

function pemKey(text: string, isRight: (key: KeyObject) => boolean): KeyObject {
  if (!text.startsWith('-----BEGIN PUBLIC KEY-----')) throw new TypeError('not a public key in PEM');
  const key = createPublicKey(text);
  if (!isRight(key)) throw new TypeError('a key of another kind than its scheme says');
  return key;
}

function spkiPem(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'spki' }).toString();
}
