// Secrets at rest: AES-256-GCM under a key-encryption key that does not live in the database.
// Layout: 12 random bytes of nonce, ciphertext, 16 bytes of tag. `purpose` is bound in, so that rows cannot be swapped.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { signingError } from './errors.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Seals `secret` under the 32-byte `kek` for one purpose, such as `content-key:<digest>`. */
export function sealSecret(kek: Uint8Array, purpose: string, secret: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', kek, nonce).setAAD(Buffer.from(purpose));
  return Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
}

/**
 * Opens what {@link sealSecret} made for the same purpose.
 *
 * @throws `secret-unsealable`
 */
export function openSecret(kek: Uint8Array, purpose: string, sealed: Uint8Array): Buffer {
  try {
    const nonce = sealed.subarray(0, NONCE_BYTES);
    const tag = sealed.subarray(sealed.length - TAG_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', kek, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(purpose)).setAuthTag(tag);
    const body = sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES);
    return Buffer.concat([decipher.update(body), decipher.final()]);
  } catch (cause) {
    throw signingError('secret-unsealable', `The stored secret ${purpose} cannot be opened.`, { cause });
  }
}
