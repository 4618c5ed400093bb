// Secrets of organizations: the online keys, in the database, sealed by the vault.
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { generateSigningKey } from '../signing/index.ts';
import { FIRST_ORGANIZATION, type Tenant } from './context.ts';

/** Where secrets are kept: those of one organization. */
export type Keeper = Pick<Tenant, 'db' | 'vault' | 'organization'>;

/** A secret of an organization, made on first use. Two services that start together agree on one. */
export async function onlineSecret(keeper: Keeper, name: string, make: () => Promise<Buffer>): Promise<Buffer> {
  const known = await onlineSecretIfAny(keeper, name);
  if (known) return known;
  const { db, vault, organization } = keeper;
  const sealed = vault.seal(purposeOf(organization, name), await make());
  await db
    .insertInto('secrets')
    .values({ organization, name, sealed })
    .onConflict(conflict => conflict.doNothing())
    .execute();
  return (await onlineSecretIfAny(keeper, name)) as Buffer;
}

/** Forgets a secret for good. */
export async function forgetSecret({ db, organization }: Keeper, name: string): Promise<void> {
  await db.deleteFrom('secrets').where('organization', '=', organization).where('name', '=', name).execute();
}

/** An online signing key of an organization, made on first use. */
export async function onlineKey(keeper: Keeper, name: string): Promise<KeyObject> {
  return createPrivateKey(await onlineSecret(keeper, name, async () => newSigningSecret()));
}

/** The online key of that name; undefined where none was made. */
export async function onlineKeyIfAny(keeper: Keeper, name: string): Promise<KeyObject | undefined> {
  const pem = await onlineSecretIfAny(keeper, name);
  return pem && createPrivateKey(pem);
}

/** Puts a key, a new one unless given, in the place of the one of that name, which is gone for good. */
export async function replaceOnlineKey(
  keeper: Keeper,
  name: string,
  key: KeyObject = generateSigningKey(),
): Promise<KeyObject> {
  await replaceSecret(keeper, name, pemOf(key));
  return key;
}

/** Puts a secret in the place of the one of that name, which is gone for good. */
export async function replaceSecret({ db, vault, organization }: Keeper, name: string, secret: Buffer): Promise<void> {
  const sealed = vault.seal(purposeOf(organization, name), secret);
  await db
    .insertInto('secrets')
    .values({ organization, name, sealed })
    .onConflict(conflict => conflict.columns(['organization', 'name']).doUpdateSet({ sealed }))
    .execute();
}

/** The secret of that name; undefined where none was made. */
export async function onlineSecretIfAny(
  { db, vault, organization }: Keeper,
  name: string,
): Promise<Buffer | undefined> {
  const query = db.selectFrom('secrets').select('sealed').where('organization', '=', organization);
  const row = await query.where('name', '=', name).executeTakeFirst();
  return row && vault.open(purposeOf(organization, name), row.sealed);
}

/** A new signing key, in the form in which secrets are kept. */
export function newSigningSecret(): Buffer {
  return pemOf(generateSigningKey());
}

function pemOf(key: KeyObject): Buffer {
  return Buffer.from(key.export({ type: 'pkcs8', format: 'pem' }));
}

/** Names the organization, but for the first, whose secrets are older than the others. */
function purposeOf(organization: string, name: string): string {
  return organization === FIRST_ORGANIZATION ? `online-key:${name}` : `online-key:${organization}:${name}`;
}
