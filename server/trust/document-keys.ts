// The online keys of documents: that sign licenses and what the service says to sites, and that sites seal their reports to. Each is
// published as a key set that targets names, so that a stolen one is replaced by publishing: the next key is prepared beside it and
// taken up, and the old one destroyed, in the transaction that publishes the targets that name it.
import { createPrivateKey, randomBytes } from 'node:crypto';
import { targetPaths } from '../../bundles/index.ts';
import {
  editTargets,
  keySetOf,
  MESSAGE_SECRET_BYTES,
  messageKeyId,
  messageKeySet,
  sha256Hex,
} from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import {
  forgetSecret,
  type Keeper,
  newSigningSecret,
  onlineSecret,
  onlineSecretIfAny,
  replaceSecret,
} from '../secrets.ts';

interface Kind {
  /** The target that its key set is published as. */
  readonly path: string;
  make(): Buffer;
  setOf(secret: Buffer): Promise<Buffer>;
  /** Whether targets may lack it: repositories are older than the key. */
  readonly optional?: true;
  /** Under which name a key is kept that is in use no more; it is destroyed where there is none. */
  retiredAs?(secret: Buffer): Promise<string>;
}

const signing = { make: newSigningSecret, setOf: (secret: Buffer) => keySetOf(createPrivateKey(secret)) };

const KINDS = {
  'license-issuer': { path: targetPaths.issuers, ...signing },
  director: { path: targetPaths.director, ...signing },
  reports: {
    path: targetPaths.reports,
    make: () => randomBytes(MESSAGE_SECRET_BYTES),
    setOf: messageKeySet,
    optional: true,
    // A receipt may be on its way for months. Whoever stole the key reads what was sealed to it, with or without our copy.
    retiredAs: async secret => retired(await messageKeyId(secret)),
  },
} as const satisfies Readonly<Record<string, Kind>>;

export type DocumentKey = keyof typeof KINDS;

const NAMES = Object.keys(KINDS) as DocumentKey[];
const kindOf = (name: DocumentKey): Kind => KINDS[name];

/** The key set of the key in use. */
export async function documentKeySet(keeper: Keeper, name: DocumentKey): Promise<Buffer> {
  return kindOf(name).setOf(await inUse(keeper, name));
}

/** Makes the next key, in place of one that was prepared before, and returns its set. */
export async function prepareDocumentKey(keeper: Keeper, name: DocumentKey): Promise<Buffer> {
  const secret = kindOf(name).make();
  await replaceSecret(keeper, next(name), secret);
  return kindOf(name).setOf(secret);
}

/** The secret that a report was sealed to, in use or retired; undefined for a key that the organization never had. */
export async function reportSecret(keeper: Keeper, keyId: string): Promise<Buffer | undefined> {
  const secret = await onlineSecretIfAny(keeper, 'reports');
  if (secret && (await messageKeyId(secret)) === keyId) return secret;
  return onlineSecretIfAny(keeper, retired(keyId));
}

/** The key sets that a targets file names, of keys in use and of prepared ones, by path: to be stored with it. */
export async function namedKeySets(keeper: Keeper, targets: Uint8Array): Promise<ReadonlyMap<string, Buffer>> {
  const sets = new Map<string, Buffer>();
  const digests = digestsIn(targets);
  for (const name of NAMES) {
    const digest = digests(name);
    for (const set of [await documentKeySet(keeper, name), await preparedSet(keeper, name)]) {
      if (set && sha256Hex(set) === digest) sets.set(kindOf(name).path, set);
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
    const { setOf, optional, retiredAs } = kindOf(name);
    const digest = digests(name);
    if (optional && digest === undefined) continue;
    const old = await inUse(keeper, name);
    if (sha256Hex(await setOf(old)) === digest) continue;
    const prepared = await onlineSecretIfAny(keeper, next(name));
    if (!prepared || sha256Hex(await setOf(prepared)) !== digest) {
      throw serverError('online-keys-unknown', `Targets name a ${name} key that this service does not have.`);
    }
    if (retiredAs) await replaceSecret(keeper, await retiredAs(old), old);
    await replaceSecret(keeper, name, prepared);
    await forgetSecret(keeper, next(name));
  }
}

/** Made on first use. */
function inUse(keeper: Keeper, name: DocumentKey): Promise<Buffer> {
  const { make } = kindOf(name);
  return onlineSecret(keeper, name, async () => make());
}

async function preparedSet(keeper: Keeper, name: DocumentKey): Promise<Buffer | undefined> {
  const prepared = await onlineSecretIfAny(keeper, next(name));
  return prepared && kindOf(name).setOf(prepared);
}

/** Of the key sets that targets name. */
function digestsIn(targets: Uint8Array): (name: DocumentKey) => string | undefined {
  const named = editTargets(targets).targets;
  return name => named.get(kindOf(name).path)?.sha256;
}

function next(name: DocumentKey): string {
  return `next-${name}`;
}

function retired(keyId: string): string {
  return `retired-reports-${keyId}`;
}
