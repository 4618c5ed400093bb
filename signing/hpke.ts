// The one HPKE suite of the house (RFC 9180): a KEM that a quantum computer does not break alone, nor a flaw in the new algorithm.
import { hkdfSync } from 'node:crypto';
import type { CipherSuite } from 'hpke';

/** Names the KEM, the KDF and the AEAD; another value is another format. */
export const HPKE_SUITE = 'MLKEM768-X25519/HKDF-SHA256/AES-256-GCM';
/** Base64url digits of an encapsulated secret. */
export const ENCAPSULATED_LENGTH = 1494;
export const SECRET_BYTES = 32;

let loaded: Promise<CipherSuite> | undefined;

/** Loaded when it is first used: most commands and all worker threads do without. */
export function cipherSuite(): Promise<CipherSuite> {
  loaded ??= import('hpke').then(
    hpke => new hpke.CipherSuite(hpke.KEM_MLKEM768_X25519, hpke.KDF_HKDF_SHA256, hpke.AEAD_AES_256_GCM),
  );
  return loaded;
}

/** HKDF-SHA256 with one label per purpose, so that no two uses share key bytes. */
export function derive(secret: Uint8Array, label: string): Buffer {
  if (secret.length !== SECRET_BYTES) throw new RangeError(`a secret has ${SECRET_BYTES} bytes`);
  return Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), label, SECRET_BYTES));
}
