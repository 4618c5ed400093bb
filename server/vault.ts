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

/**
 * The vault of a data directory; its key is made on the first start.
 *
 * @param fromEnvironment ROLLOVER_SERVER_KEY, base64url of 32 bytes, for services that share a database
 */
export async function openVault(directory: string, fromEnvironment: string | undefined): Promise<Vault> {
  const kek =
    fromEnvironment === undefined ? await keyFile(join(directory, 'server.key')) : fromBase64url(fromEnvironment);
  if (kek.length !== KEK_BYTES) {
    throw serverError('config-invalid', 'The server key is not base64url of 32 bytes.');
  }
  return {
    seal: (purpose, secret) => sealSecret(kek, purpose, secret),
    open: (purpose, sealed) => openSecret(kek, purpose, sealed),
  };
}

async function keyFile(path: string): Promise<Buffer> {
  const known = await readFileIfAny(path);
  if (known) return fromBase64url(known.toString('utf8').trim());
  const fresh = randomBytes(KEK_BYTES);
  await writeFileAtomic(path, `${fresh.toString('base64url')}\n`, 0o600);
  return fresh;
}
