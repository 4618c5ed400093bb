// The online keys that sign documents: licenses, and what the service says to sites. Each is published as a key set that targets
// names, so that a stolen one is replaced by publishing: the next key is prepared beside it and taken up, and the old one destroyed,
// in the transaction that publishes the targets that name it.
import { targetPaths } from '../../bundles/index.ts';
import { editTargets, keySetOf, sha256Hex } from '../../signing/index.ts';
import type { Context } from '../context.ts';
import type { Database } from '../db/database.ts';
import { serverError } from '../errors.ts';
import { onlineKey, onlineKeyIfAny, replaceOnlineKey, type Vault } from '../secrets.ts';

/** By name, the target that its key set is published as. */
const PATHS = { 'license-issuer': targetPaths.issuers, director: targetPaths.director } as const;

export type DocumentKey = keyof typeof PATHS;

const NAMES = Object.keys(PATHS) as DocumentKey[];

/** The key set of the key in use. */
export async function documentKeySet(db: Database, vault: Vault, name: DocumentKey): Promise<Buffer> {
  return keySetOf(await onlineKey(db, vault, name));
}

/** Makes the next key, in place of one that was prepared before, and returns its set. */
export async function prepareDocumentKey({ db, vault }: Context, name: DocumentKey): Promise<Buffer> {
  return keySetOf(await replaceOnlineKey(db, vault, next(name)));
}

/** The key sets that a targets file names, of keys in use and of prepared ones, by path: to be stored with it. */
export async function namedKeySets({ db, vault }: Context, targets: Uint8Array): Promise<ReadonlyMap<string, Buffer>> {
  const sets = new Map<string, Buffer>();
  for (const name of NAMES) {
    const digest = digestIn(targets, name);
    for (const set of [await documentKeySet(db, vault, name), await preparedSet(db, vault, name)]) {
      if (set && sha256Hex(set) === digest) sets.set(PATHS[name], set);
    }
  }
  return sets;
}

/**
 * Takes up the keys that the published targets name; `db` is the transaction that publishes them.
 *
 * @throws `online-keys-unknown`
 */
export async function takeUpDocumentKeys(db: Database, vault: Vault, targets: Uint8Array): Promise<void> {
  for (const name of NAMES) {
    const digest = digestIn(targets, name);
    if (sha256Hex(await documentKeySet(db, vault, name)) === digest) continue;
    const prepared = await onlineKeyIfAny(db, vault, next(name));
    if (!prepared || sha256Hex(await keySetOf(prepared)) !== digest) {
      throw serverError('online-keys-unknown', `Targets name a ${name} key that this service does not have.`);
    }
    await replaceOnlineKey(db, vault, name, prepared);
    await db.deleteFrom('secrets').where('name', '=', next(name)).execute();
  }
}

async function preparedSet(db: Database, vault: Vault, name: DocumentKey): Promise<Buffer | undefined> {
  const prepared = await onlineKeyIfAny(db, vault, next(name));
  return prepared && keySetOf(prepared);
}

function digestIn(targets: Uint8Array, name: DocumentKey): string | undefined {
  return editTargets(targets).targets.get(PATHS[name])?.sha256;
}

function next(name: DocumentKey): string {
  return `next-${name}`;
}
