// Private signing keys as PKCS#8 PEM files that only their owner can read. A file is one signer: a person, or a service. It
// holds a key of each class of algorithms that the signer signs with.
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { signingError } from '../errors.ts';
import { type Signer, signerOf } from '../keys.ts';
import { writeFileAtomic } from './atomic-file.ts';

const PEM_BLOCK = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+-----END [A-Z ]*PRIVATE KEY-----/g;
const MOST_KEYS = 4;

/** Writes private keys with mode 0600. */
export async function writeKeyFile(path: string, keys: readonly KeyObject[]): Promise<void> {
  const blocks = keys.map(key => key.export({ type: 'pkcs8', format: 'pem' }));
  await writeFileAtomic(path, blocks.join(''), 0o600);
}

/**
 * The keys of a key file.
 *
 * @throws `key-unreadable`
 */
export async function readSigners(path: string): Promise<readonly Signer[]> {
  try {
    const blocks = (await readFile(path, 'utf8')).match(PEM_BLOCK) ?? [];
    if (blocks.length === 0 || blocks.length > MOST_KEYS) throw new TypeError(`${blocks.length} keys`);
    return blocks.map(block => signerOf(createPrivateKey(block)));
  } catch (cause) {
    throw signingError('key-unreadable', `Cannot read the signing key ${path}.`, { cause });
  }
}
