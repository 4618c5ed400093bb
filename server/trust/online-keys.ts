// The online keys of snapshot and timestamp: made by the service, never leaving it. A rotation prepares the next ones beside
// them; they take over, and the old ones are destroyed, in the transaction that publishes the root that names them.
import { type PublicKey, parseMetadata, type Signer, signerOf } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import { forgetSecret, type Keeper, onlineKey, onlineKeyIfAny, replaceOnlineKey } from '../secrets.ts';

type OnlineRole = 'snapshot' | 'timestamp';

export type OnlineSigners = Readonly<Record<OnlineRole, Signer>>;

/** The keys in use, that root has to name. */
export async function onlineSigners(keeper: Keeper): Promise<OnlineSigners> {
  const snapshot = signerOf(await onlineKey(keeper, 'snapshot'));
  const timestamp = signerOf(await onlineKey(keeper, 'timestamp'));
  return { snapshot, timestamp };
}

/** Makes the next key. A new one each time: what was prepared before a break-in is not taken into use after it. */
export async function prepareOnlineKey(keeper: Keeper, role: OnlineRole): Promise<PublicKey> {
  return signerOf(await replaceOnlineKey(keeper, next(role))).key;
}

/**
 * The keys that the root names. Where these are the prepared ones, they replace the ones in use; the keeper’s `db` is the transaction that
 * publishes the root.
 *
 * @throws `online-keys-unknown`
 */
export async function takeUpOnlineKeys(keeper: Keeper, root: Uint8Array): Promise<OnlineSigners> {
  const named = (role: OnlineRole) => parseMetadata('root', root).content.roles.get(role)?.keyids ?? new Set();
  const takeUp = async (role: OnlineRole): Promise<Signer> => {
    const inUse = signerOf(await onlineKey(keeper, role));
    if (named(role).has(inUse.keyId)) return inUse;
    const prepared = await onlineKeyIfAny(keeper, next(role));
    const signer = prepared && signerOf(prepared);
    if (!prepared || !signer || !named(role).has(signer.keyId)) {
      throw serverError('online-keys-unknown', `The root names a ${role} key that this service does not have.`);
    }
    await replaceOnlineKey(keeper, role, prepared);
    await forgetSecret(keeper, next(role));
    return signer;
  };
  return { snapshot: await takeUp('snapshot'), timestamp: await takeUp('timestamp') };
}

function next(role: OnlineRole): string {
  return `next-${role}`;
}
