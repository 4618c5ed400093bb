// A signer behind a command of the vendor's own, such as the command line of a key management service: the message arrives
// on its input, and the bare signature is expected on its output.
import { signingError } from '../errors.ts';
import { keyIdOf, messageFor, type PublicKey, type Signer, verifySignature } from '../keys.ts';
import { outputOf } from './child.ts';

export interface CommandSignerOptions {
  /** The program and its arguments; no shell reads them. */
  readonly argv: readonly string[];
  readonly key: PublicKey;
  readonly timeoutMs: number;
}

/**
 * A signer that runs a command for each signature. The command is given the message of the plain algorithm: the document
 * itself for Ed25519 and ECDSA (which it hashes with SHA-256), `"tuf" 0x01 SHA-512(document)` for ML-DSA.
 *
 * Signing throws `signer-failed`, also for a signature that is not the key's.
 */
export function commandSigner({ argv, key, timeoutMs }: CommandSignerOptions): Signer {
  return provenSigner(key, bytes => outputOf(argv, { input: messageFor(key, bytes), timeoutMs }));
}

/** A signer outside of this process: what it answers is believed only after it was verified. */
export function provenSigner(key: PublicKey, sign: (bytes: Uint8Array) => Promise<Uint8Array>): Signer {
  const keyId = keyIdOf(key);
  return {
    key,
    keyId,
    async sign(bytes) {
      const signature = await sign(bytes);
      if (verifySignature(key, bytes, signature)) return signature;
      throw signingError(
        'signer-failed',
        `What the signer of key ${keyId.slice(0, 12)} answered is no signature of that key.`,
      );
    },
  };
}
