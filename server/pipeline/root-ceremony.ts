// The first root of trust: the vendor's offline keys and the service's online keys in one signed document.
import { targetPaths } from '../../bundles/index.ts';
import { rootDocument, sha256Hex, signMetadata, targetsDocument } from '../../signing/index.ts';
import { DEFAULT_LIFE_MS } from '../ceremony/expiry.ts';
import { type NamedSigner, namesOf } from '../ceremony/signer-file.ts';
import { serverError } from '../errors.ts';
import type { OnlineKeys } from '../trust/setup.ts';
import type { ApiClient } from './api-client.ts';
import { publishOfflineSnapshot } from './offline-snapshot.ts';
import { createVendorKeys, type OfflineRole } from './vendor-keys.ts';

export interface CeremonyOptions {
  readonly keysDirectory: string;
  readonly keys: Readonly<Record<OfflineRole, number>>;
  readonly thresholds: Readonly<Record<OfflineRole, number>>;
  readonly nowMs: number;
}

/**
 * Makes the offline keys, signs root 1 and targets 1, and publishes them. Repeated after an interruption, it goes on with
 * the keys that are there.
 *
 * @returns the SHA-256 of root 1, by which people recognize it
 * @throws `keys-exist`, `trust-exists`, and what the API client throws
 */
export async function setUpRoot(api: ApiClient, options: CeremonyOptions): Promise<{ readonly fingerprint: string }> {
  if (await api.exists('/v1/roles/root')) {
    throw serverError('trust-exists', `The service at ${api.url} already has a root of trust.`);
  }
  const online = await api.get<OnlineKeys>('/v1/trust/online-keys');
  const signers = await createVendorKeys(options.keysDirectory, options.keys);
  const offline = (role: OfflineRole) => ({
    keys: all(signers[role]).map(signer => signer.key),
    threshold: options.thresholds[role],
  });
  const roles = {
    root: offline('root'),
    targets: offline('targets'),
    'offline-snapshot': offline('offline-snapshot'),
    snapshot: { keys: [online.snapshot], threshold: 1 },
    timestamp: { keys: [online.timestamp], threshold: 1 },
  };
  const document = rootDocument(dates(options.nowMs), roles, namesOf(Object.values(signers).flat()));
  const root = await signMetadata(document, all(signers.root));
  const issuers = Buffer.from(online.issuers);
  const director = Buffer.from(online.director);
  const entries = new Map([
    [targetPaths.issuers, entryOf(issuers)],
    [targetPaths.director, entryOf(director)],
  ]);
  const targets = await signMetadata(targetsDocument(dates(options.nowMs), entries), all(signers.targets));
  const files = { root, targets, issuers, director };
  const body = Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, bytes.toString('base64')]));
  await api.post('/v1/trust', body);
  const terms = { expiresMs: options.nowMs + DEFAULT_LIFE_MS, signedMs: options.nowMs };
  await publishOfflineSnapshot(api, options.keysDirectory, terms);
  return { fingerprint: sha256Hex(root) };
}

function entryOf(bytes: Buffer) {
  return { length: bytes.length, sha256: sha256Hex(bytes) };
}

function dates(nowMs: number) {
  return { version: 1, expiresMs: nowMs + DEFAULT_LIFE_MS };
}

function all(named: readonly NamedSigner[]) {
  return named.flatMap(({ signers }) => signers);
}
