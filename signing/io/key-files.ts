// Private signing keys as PKCS#8 PEM files that only their owner can read.
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { signingError } from '../errors.ts';
import { type Signer, signerOf } from '../keys.ts';
import { writeFileAtomic } from './atomic-file.ts';

/** Writes a private key with mode 0600. */
export async function writeKeyFile(path: string, key: KeyObject): Promise<void> {
  await writeFileAtomic(path, key.export({ type: 'pkcs8', format: 'pem' }), 0o600);
}

/**
 * A signer from a key file.
 *
 * @throws `key-unreadable`
 */
export async function readSigner(path: string): Promise<Signer> {
  try {
    return signerOf(createPrivateKey(await readFile(path, 'utf8')));
  } catch (cause) {
    throw signingError('key-unreadable', `Cannot read the signing key ${path}.`, { cause });
  }
}
