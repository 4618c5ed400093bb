// Private signing keys in files that only their owner can read: PKCS#8 PEM, or sealed under a passphrase. A file is one
// signer: a person, or a service. It holds a key of each class of algorithms that the signer signs with.
import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { signingError } from '../errors.ts';
import { openKeys, parseEnvelope, privateKeysIn, sealKeys } from '../key-envelope.ts';
import { type PublicKey, publicKeyOf, type Signer, signerOf } from '../keys.ts';
import { writeFileAtomic } from './atomic-file.ts';

/** Asked for only when a file is sealed. */
export type Passphrase = () => Promise<string>;

/** Writes private keys as PEM, with mode 0600. */
export async function writeKeyFile(path: string, keys: readonly KeyObject[]): Promise<void> {
  const blocks = keys.map(key => key.export({ type: 'pkcs8', format: 'pem' }));
  await writeFileAtomic(path, blocks.join(''), 0o600);
}

/** Writes private keys sealed under a passphrase, with mode 0600. */
export async function writeSealedKeyFile(
  path: string,
  name: string,
  keys: readonly KeyObject[],
  passphrase: string,
): Promise<void> {
  const envelope = await sealKeys(name, keys, passphrase);
  await writeFileAtomic(path, `${JSON.stringify(envelope, null, 2)}\n`, 0o600);
}

/** What a key file says without its passphrase. */
export interface KeyFileCard {
  /** Undefined for PEM, which has no room for it. */
  readonly name: string | undefined;
  readonly keys: readonly PublicKey[];
}

/**
 * The public halves of a key file. Those of a sealed file are as the file says; they are proven when it is opened.
 *
 * @throws `key-unreadable`
 */
export function readKeyCard(path: string): Promise<KeyFileCard> {
  return reading(path, async text => {
    const envelope = parseEnvelope(text);
    if (envelope) return { name: envelope.name, keys: envelope.keys };
    return { name: undefined, keys: privateKeysIn(text).map(publicKeyOf) };
  });
}

/**
 * The keys of a key file.
 *
 * @throws `key-unreadable`, `key-locked`, and what `passphrase` throws
 */
export async function readSigners(
  path: string,
  passphrase: Passphrase = noPassphrase(path),
): Promise<readonly Signer[]> {
  const parts = await reading(path, async text => parseEnvelope(text) ?? privateKeysIn(text));
  const keys = 'sealed' in parts ? await openKeys(parts, await passphrase()) : parts;
  return keys.map(signerOf);
}

async function reading<T>(path: string, work: (text: string) => Promise<T>): Promise<T> {
  try {
    return await work(await readFile(path, 'utf8'));
  } catch (cause) {
    throw signingError('key-unreadable', `Cannot read the signing key ${path}.`, { cause });
  }
}

function noPassphrase(path: string): Passphrase {
  return async () => {
    throw signingError('passphrase-missing', `The key ${path} needs a passphrase.`);
  };
}
