// What seals the service's secrets: one key in a file (or the environment), everything else sealed under it.
// Losing the file means losing the online keys and content keys; a backup keeps it apart from the database.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fromBase64url, openSecret, readFileIfAny, sealSecret, writeFileAtomic } from '../signing/index.ts';
import { serverError } from './errors.ts';

const KEK_BYTES = 32;

/** Seals and opens secrets for storage. `purpose` is bound in: a sealed value cannot be moved to another row. */
export interface Vault {
  seal(purpose: string, secret: Uint8Array): Buffer;
  /** @throws `secret-unsealable` */
  open(purpose: string, sealed: Uint8Array): Buffer;
}

/** In the data directory. */
export const SERVER_KEY = 'server.key';

/**
 * The vault of a data directory; its key is made on the first start.
 *
 * @param fromEnvironment ROLLOVER_SERVER_KEY, base64url of 32 bytes, for services that share a database
 */
export async function openVault(directory: string, fromEnvironment: string | undefined): Promise<Vault> {
  const path = join(directory, SERVER_KEY);
  const known = fromEnvironment === undefined ? await readServerKey(path) : fromBase64url(fromEnvironment);
  return vaultOf(known ?? (await newServerKey(path)));
}

/** @throws `config-invalid` for a key of another length */
export function vaultOf(kek: Buffer): Vault {
  if (kek.length !== KEK_BYTES) {
    throw serverError('config-invalid', 'The server key is not base64url of 32 bytes.');
  }
  return {
    seal: (purpose, secret) => sealSecret(kek, purpose, secret),
    open: (purpose, sealed) => openSecret(kek, purpose, sealed),
  };
}

/** The key in a file; undefined where there is none. @throws `config-invalid` */
export async function readServerKey(path: string): Promise<Buffer | undefined> {
  const known = await readFileIfAny(path);
  try {
    return known && fromBase64url(known.toString('utf8').trim());
  } catch (cause) {
    throw serverError('config-invalid', `${path} is no server key: base64url of 32 bytes.`, { cause });
  }
}

/** Puts a key into a data directory. */
export function keepServerKey(directory: string, kek: Buffer): Promise<void> {
  return writeServerKey(join(directory, SERVER_KEY), kek);
}

async function newServerKey(path: string): Promise<Buffer> {
  const fresh = randomBytes(KEK_BYTES);
  await writeServerKey(path, fresh);
  return fresh;
}

function writeServerKey(path: string, kek: Buffer): Promise<void> {
  return writeFileAtomic(path, `${kek.toString('base64url')}\n`, 0o600);
}
