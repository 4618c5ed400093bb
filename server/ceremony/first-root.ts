// The first root of trust by one command, for a vendor who keeps all offline keys in one directory: they are made, and asked
// to sign what proposes the first root. Who keeps keys apart takes the same steps one by one.
import { serverError } from '../errors.ts';
import type { ApiClient } from '../pipeline/api-client.ts';
import { publishOfflineSnapshot } from '../pipeline/offline-snapshot.ts';
import { createVendorKeys, OFFLINE_ROLES, type OfflineRole } from '../pipeline/vendor-keys.ts';
import type { OnlineKeys } from '../trust/setup.ts';
import { DEFAULT_LIFE_MS } from './expiry.ts';
import { fingerprintAfter } from './proposal.ts';
import { publishProposal } from './publish-proposal.ts';
import { proposeFirst } from './request.ts';
import { signProposal } from './sign.ts';
import type { SignerCard } from './signer-card.ts';
import type { NamedSigner } from './signer-file.ts';

export interface FirstRootOptions {
  readonly keysDirectory: string;
  readonly keys: Readonly<Record<OfflineRole, number>>;
  readonly thresholds: Readonly<Record<OfflineRole, number>>;
  readonly nowMs: number;
}

/**
 * Makes the offline keys, signs root 1, targets 1 and the first offline snapshot, and publishes them. Repeated after an interruption, it goes on with
 * the keys that are there.
 *
 * @returns the SHA-256 of root 1, by which people recognize it
 * @throws `keys-exist`, `trust-exists`, and what publishing throws
 */
export async function setUpRoot(
  api: ApiClient,
  { keysDirectory, keys, thresholds, nowMs }: FirstRootOptions,
): Promise<{ readonly fingerprint: string }> {
  if (await api.exists('/v1/roles/root')) {
    throw serverError('trust-exists', `The service at ${api.url} already has a root of trust.`);
  }
  const online = await api.get<OnlineKeys>('/v1/trust/online-keys');
  const named = await createVendorKeys(keysDirectory, keys);
  const cards = OFFLINE_ROLES.map(role => [role, named[role].map(cardOf)] as const);
  const request = {
    add: Object.fromEntries(cards),
    remove: {},
    thresholds,
    renew: [],
    expiresMs: nowMs + DEFAULT_LIFE_MS,
  };
  const proposed = proposeFirst(request, online, new Date(nowMs).toISOString());
  const signers = [...named.root, ...named.targets].flatMap(({ signers }) => signers);
  const { proposal } = await signProposal(proposed, signers);
  await publishProposal(api, proposal);
  await publishOfflineSnapshot(api, keysDirectory, { expiresMs: request.expiresMs, signedMs: nowMs });
  return { fingerprint: fingerprintAfter(proposal) };
}

function cardOf({ name, signers }: NamedSigner): SignerCard {
  return { name, keys: signers.map(({ key }) => key) };
}
