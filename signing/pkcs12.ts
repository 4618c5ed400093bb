// PKCS#12 (RFC 7292): a private key and its certificates in one file under a passphrase, as other programs read and write it.
// forge knows RSA keys only, so the bags are built here around the DER of any key; ciphers and key derivations are forge's.
import { createPrivateKey, hash, type KeyObject, X509Certificate } from 'node:crypto';
import forge from 'node-forge';
import { type Asn1, binary, decode, encode, explicit, integer, NOTHING, octets, oid, sequence, set } from './der.ts';
import { signingError } from './errors.ts';

/** A private key, the certificate for it, and the certificates of the authorities above that. */
export interface CertifiedKey {
  readonly privateKey: KeyObject;
  readonly certificate: X509Certificate;
  readonly authorities: readonly X509Certificate[];
}

/** Of the cipher's key and of the MAC's: guessing goes for the cheaper one. Half a second, as forge counts in JavaScript. */
const ITERATIONS = 100_000;
/** What a file may ask for before its MAC has shown that it is by somebody who knows the passphrase: some ten seconds. */
const MOST_ITERATIONS = 5_000_000;
const MOST_BYTES = 256 * 1024;
const SALT_BYTES = 16;
const VERSION = 3;
/** RFC 7292, appendix B.3: what a derived key is for. */
const FOR_MAC = 3;
const MAC_BYTES = 32;

/**
 * Refuses a passphrase that programs read differently: the format encodes it in two ways, which agree on ASCII only.
 *
 * @throws `passphrase-refused`
 */
export function requireAscii(passphrase: string): void {
  if (/^[\x20-\x7e]+$/.test(passphrase)) return;
  throw signingError('passphrase-refused', 'A PKCS#12 file needs a passphrase of ASCII characters.', {
    hint: 'Use letters without accents, digits, spaces and punctuation.',
  });
}

/**
 * Packs a key and its certificates: the key under AES-256-CBC with PBKDF2-HMAC-SHA-256, everything under HMAC-SHA-256.
 * The certificates can be read without the passphrase; they are no secret.
 *
 * @throws `passphrase-refused`
 */
export function packPkcs12({ privateKey, certificate, authorities }: CertifiedKey, passphrase: string): Buffer {
  requireAscii(passphrase);
  // Ties the key to its certificate, for readers that do not compare keys.
  const pairing = set(sequence(oid('localKeyId'), set(octets(binary(hash('sha256', certificate.raw, 'buffer'))))));
  const certificates = sequence(
    sequence(oid('certBag'), explicit(x509Bag(certificate)), pairing),
    ...authorities.map(authority => sequence(oid('certBag'), explicit(x509Bag(authority)))),
  );
  const key = forge.pki.encryptPrivateKeyInfo(decode(privateKey.export({ type: 'pkcs8', format: 'der' })), passphrase, {
    algorithm: 'aes256',
    prfAlgorithm: 'sha256',
    count: ITERATIONS,
    saltSize: SALT_BYTES,
  });
  const keys = sequence(sequence(oid('pkcs8ShroudedKeyBag'), explicit(key), pairing));
  const safe = encode(sequence(data(encode(certificates)), data(encode(keys))));
  return Buffer.from(encode(sequence(integer(VERSION), data(safe), macOf(safe, passphrase))), 'latin1');
}

/**
 * Opens a file that was packed here, by OpenSSL, or by a key store.
 *
 * @throws `key-locked` for another passphrase, `certificate-file` for what is no such file or holds no certified key
 */
export function openPkcs12(bytes: Uint8Array, passphrase: string, name: string): CertifiedKey {
  requireAscii(passphrase);
  const { keys, certificates } = bagsOf(bytes, passphrase, name);
  for (const privateKey of keys) {
    const certificate = certificates.find(one => one.checkPrivateKey(privateKey));
    if (certificate) {
      return { privateKey, certificate, authorities: certificates.filter(one => one !== certificate && one.ca) };
    }
  }
  throw signingError('certificate-file', `${name} holds no private key with a certificate for it.`);
}

function x509Bag(certificate: X509Certificate): Asn1 {
  return sequence(oid('x509Certificate'), explicit(octets(binary(certificate.raw))));
}

function data(bytes: string): Asn1 {
  return sequence(oid('data'), explicit(octets(bytes)));
}

function macOf(safe: string, passphrase: string): Asn1 {
  const salt = forge.random.getBytesSync(SALT_BYTES);
  const sha256 = () => forge.md.sha256.create();
  const buffer = forge.util.createBuffer(salt);
  const hmac = forge.hmac.create();
  hmac.start(sha256(), forge.pkcs12.generateKey(passphrase, buffer, FOR_MAC, ITERATIONS, MAC_BYTES, sha256()));
  hmac.update(safe);
  const digest = sequence(sequence(oid('sha256'), NOTHING), octets(hmac.getMac().getBytes()));
  return sequence(digest, octets(salt), integer(ITERATIONS));
}

function bagsOf(bytes: Uint8Array, passphrase: string, name: string) {
  try {
    if (bytes.length > MOST_BYTES) throw new Error('it is too large');
    const file = decode(bytes);
    requireMac(file);
    const bags = forge.pkcs12.pkcs12FromAsn1(file, passphrase).safeContents.flatMap(content => content.safeBags);
    const { keyBag, pkcs8ShroudedKeyBag, certBag } = forge.pki.oids;
    const keyOf = ({ key, asn1 }: forge.pkcs12.Bag) =>
      key ? forge.pki.wrapRsaPrivateKey(forge.pki.privateKeyToAsn1(key)) : asn1;
    const certificateOf = ({ cert, asn1 }: forge.pkcs12.Bag) => (cert ? forge.pki.certificateToAsn1(cert) : asn1);
    return {
      keys: bags
        .filter(({ type }) => type === keyBag || type === pkcs8ShroudedKeyBag)
        .map(bag => createPrivateKey({ key: der(keyOf(bag)), format: 'der', type: 'pkcs8' })),
      certificates: bags
        .filter(({ type }) => type === certBag)
        .map(bag => new X509Certificate(der(certificateOf(bag)))),
    };
  } catch (cause) {
    if (cause instanceof Error && /MAC could not be verified/.test(cause.message)) {
      throw signingError('key-locked', `The passphrase does not open ${name}.`, { cause });
    }
    throw signingError('certificate-file', `${name} is no PKCS#12 file that can be read.`, { cause });
  }
}

/** Without a MAC, anybody could have put another authority into the file; and forge derives keys as long as it is asked to. */
function requireMac(file: Asn1): void {
  const [, , mac] = file.value as Asn1[];
  const iterations = (mac?.value as Asn1[] | undefined)?.[2];
  if (!mac) throw new Error('it has no MAC');
  if (iterations && forge.asn1.derToInteger(iterations.value as string) > MOST_ITERATIONS) {
    throw new Error('it asks for too many iterations');
  }
}

function der(value: Asn1): Buffer {
  return Buffer.from(encode(value), 'latin1');
}
