// The service's own secrets: the key-encryption key in a file (or the environment), everything else sealed under it.
// Losing the file means losing the online keys and content keys; a backup keeps it apart from the database.
import { createPrivateKey, type KeyObject, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  fromBase64url,
  generateSigningKey,
  openSecret,
  readFileIfAny,
  sealSecret,
  writeFileAtomic,
} from '../signing/index.ts';
import type { Database } from './db/database.ts';
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

/** A secret of the service, made on first use. Two services that start together agree on one. */
export async function onlineSecret(
  db: Database,
  vault: Vault,
  name: string,
  make: () => Promise<Buffer>,
): Promise<Buffer> {
  const known = await onlineSecretIfAny(db, vault, name);
  if (known) return known;
  const sealed = vault.seal(purposeOf(name), await make());
  await db
    .insertInto('secrets')
    .values({ name, sealed })
    .onConflict(conflict => conflict.doNothing())
    .execute();
  return (await onlineSecretIfAny(db, vault, name)) as Buffer;
}

/** An online signing key of the service, made on first use. */
export async function onlineKey(db: Database, vault: Vault, name: string): Promise<KeyObject> {
  return createPrivateKey(await onlineSecret(db, vault, name, async () => pemOf(generateSigningKey())));
}

/** The online key of that name; undefined where none was made. */
export async function onlineKeyIfAny(db: Database, vault: Vault, name: string): Promise<KeyObject | undefined> {
  const pem = await onlineSecretIfAny(db, vault, name);
  return pem && createPrivateKey(pem);
}

/** Puts a key, a new one unless given, in the place of the one of that name, which is gone for good. */
export async function replaceOnlineKey(
  db: Database,
  vault: Vault,
  name: string,
  key: KeyObject = generateSigningKey(),
): Promise<KeyObject> {
  const sealed = vault.seal(purposeOf(name), pemOf(key));
  await db
    .insertInto('secrets')
    .values({ name, sealed })
    .onConflict(conflict => conflict.column('name').doUpdateSet({ sealed }))
    .execute();
  return key;
}

async function onlineSecretIfAny(db: Database, vault: Vault, name: string): Promise<Buffer | undefined> {
  const row = await db.selectFrom('secrets').select('sealed').where('name', '=', name).executeTakeFirst();
  return row && vault.open(purposeOf(name), row.sealed);
}

function pemOf(key: KeyObject): Buffer {
  return Buffer.from(key.export({ type: 'pkcs8', format: 'pem' }));
}

function purposeOf(name: string): string {
  return `online-key:${name}`;
}
