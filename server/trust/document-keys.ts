// The online keys that sign documents: licenses, and what the service says to sites. Each is published as a key set that targets
// names, so that a stolen one is replaced by publishing: the next key is prepared beside it and taken up, and the old one destroyed,
// in the transaction that publishes the targets that name it.
import { targetPaths } from '../../bundles/index.ts';
import { editTargets, keySetOf, sha256Hex } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import { forgetSecret, type Keeper, onlineKey, onlineKeyIfAny, replaceOnlineKey } from '../secrets.ts';

/** By name, the target that its key set is published as. */
const PATHS = { 'license-issuer': targetPaths.issuers, director: targetPaths.director } as const;

export type DocumentKey = keyof typeof PATHS;

const NAMES = Object.keys(PATHS) as DocumentKey[];

/** The key set of the key in use. */
export async function documentKeySet(keeper: Keeper, name: DocumentKey): Promise<Buffer> {
  return keySetOf(await onlineKey(keeper, name));
}

/** Makes the next key, in place of one that was prepared before, and returns its set. */
export async function prepareDocumentKey(keeper: Keeper, name: DocumentKey): Promise<Buffer> {
  return keySetOf(await replaceOnlineKey(keeper, next(name)));
}

/** The key sets that a targets file names, of keys in use and of prepared ones, by path: to be stored with it. */
export async function namedKeySets(keeper: Keeper, targets: Uint8Array): Promise<ReadonlyMap<string, Buffer>> {
  const sets = new Map<string, Buffer>();
  const digests = digestsIn(targets);
  for (const name of NAMES) {
    const digest = digests(name);
    for (const set of [await documentKeySet(keeper, name), await preparedSet(keeper, name)]) {
      if (set && sha256Hex(set) === digest) sets.set(PATHS[name], set);
    }
  }
  return sets;
}

/**
 * Takes up the keys that the published targets name; the keeper’s `db` is the transaction that publishes them.
 *
 * @throws `online-keys-unknown`
 */
export async function takeUpDocumentKeys(keeper: Keeper, targets: Uint8Array): Promise<void> {
  const digests = digestsIn(targets);
  for (const name of NAMES) {
    const digest = digests(name);
    if (sha256Hex(await documentKeySet(keeper, name)) === digest) continue;
    const prepared = await onlineKeyIfAny(keeper, next(name));
    if (!prepared || sha256Hex(await keySetOf(prepared)) !== digest) {
      throw serverError('online-keys-unknown', `Targets name a ${name} key that this service does not have.`);
    }
    await replaceOnlineKey(keeper, name, prepared);
    await forgetSecret(keeper, next(name));
  }
}

async function preparedSet(keeper: Keeper, name: DocumentKey): Promise<Buffer | undefined> {
  const prepared = await onlineKeyIfAny(keeper, next(name));
  return prepared && keySetOf(prepared);
}

/** Of the key sets that targets name. */
function digestsIn(targets: Uint8Array): (name: DocumentKey) => string | undefined {
  const named = editTargets(targets).targets;
  return name => named.get(PATHS[name])?.sha256;
}

function next(name: DocumentKey): string {
  return `next-${name}`;
}
