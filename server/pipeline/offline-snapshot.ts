// Signs and publishes the offline snapshot with the keys that the pipeline has at hand, so that sticks carry what is newest.
import { editRoot, hasCode, type Signer, signMetadata } from '../../signing/index.ts';
import { nextOfflineSnapshot, type OfflineBasis, type OfflineTerms } from '../ceremony/offline-snapshot.ts';
import { publishedRole } from '../ceremony/published-roles.ts';
import { serverError } from '../errors.ts';
import type { ApiClient } from './api-client.ts';
import { signersOf } from './vendor-keys.ts';

const TURNS = 5;

/** Said where a new one is needed and `keys-elsewhere`. */
export const KEYS_ELSEWHERE =
  'the offline snapshot does not list this yet, and its keys are not here; sticks hold for a week until its signers renew it: rollover trust request --renew offline-snapshot';

/** `unnamed`: root names nobody who signs one. `keys-elsewhere`: people sign it, and have to. */
export type OfflineRenewal =
  | { readonly status: 'published'; readonly version: number }
  | { readonly status: 'unnamed' | 'keys-elsewhere' };

/**
 * Publishes an offline snapshot over what is published now. When somebody publishes meanwhile, it is made again.
 *
 * @throws what opening signers and publishing throws
 */
export async function publishOfflineSnapshot(
  api: ApiClient,
  keysDirectory: string,
  terms: OfflineTerms,
): Promise<OfflineRenewal> {
  const root = await present(api, 'root');
  if (!editRoot(root).roles['offline-snapshot']) return { status: 'unnamed' };
  const signers = await signersAtHand(keysDirectory);
  if (!signers) return { status: 'keys-elsewhere' };
  for (let turn = 1; ; turn++) {
    const document = nextOfflineSnapshot(await basis(api), terms) as { readonly version: number };
    const file = await signMetadata(document, signers);
    try {
      await api.post('/v1/trust/publications', { metadata: { 'offline-snapshot': file.toString('base64') } });
      return { status: 'published', version: document.version };
    } catch (error) {
      if (!hasCode(error, 'metadata-conflict') || turn === TURNS) throw error;
    }
  }
}

async function signersAtHand(keysDirectory: string): Promise<readonly Signer[] | undefined> {
  try {
    return await signersOf(keysDirectory, 'offline-snapshot');
  } catch (error) {
    if (hasCode(error, 'keys-missing')) return undefined;
    throw error;
  }
}

async function basis(api: ApiClient): Promise<OfflineBasis> {
  return {
    root: await present(api, 'root'),
    snapshot: await present(api, 'snapshot'),
    offlineSnapshot: await publishedRole(api, 'offline-snapshot'),
  };
}

async function present(api: ApiClient, role: string): Promise<Buffer> {
  const bytes = await publishedRole(api, role);
  if (bytes) return bytes;
  throw serverError('trust-missing', `The service at ${api.url} has no ${role} yet.`);
}
