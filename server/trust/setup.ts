// Sets up the root of trust, once: the offline keys stay with the vendor, the online ones with the service.
import { targetPaths } from '../../bundles/index.ts';
import { type PublicKey, trustRoot } from '../../signing/index.ts';
import type { Actor } from '../audit/audit.ts';
import { audit } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import { serverError } from '../errors.ts';
import { type DocumentKey, documentKeySet, prepareDocumentKey } from './document-keys.ts';
import { onlineSigners, prepareOnlineKey } from './online-keys.ts';
import { publish, publishedMetadata } from './repository.ts';

/** The public halves of the keys that the service keeps, for the root ceremony. */
export interface OnlineKeys {
  readonly snapshot: PublicKey;
  readonly timestamp: PublicKey;
  /** Content of the target `licenses/issuers.json`. */
  readonly issuers: string;
  /** Content of the target `director/keys.json`. */
  readonly director: string;
  /** Content of the target `reports/keys.json`; services of before do not have it. */
  readonly reports?: string;
}

export async function onlineKeys(tenant: Tenant): Promise<OnlineKeys> {
  const { snapshot, timestamp } = await onlineSigners(tenant);
  return {
    snapshot: snapshot.key,
    timestamp: timestamp.key,
    issuers: (await documentKeySet(tenant, 'license-issuer')).toString('utf8'),
    director: (await documentKeySet(tenant, 'director')).toString('utf8'),
    reports: (await documentKeySet(tenant, 'reports')).toString('utf8'),
  };
}

/** By the names that people use. */
export const ONLINE_KEYS = ['snapshot', 'timestamp', 'license-issuer', 'director', 'reports'] as const;

export type OnlineKeyName = (typeof ONLINE_KEYS)[number];

/** Makes the next keys of these names. They are taken up with the root or targets that name them. */
export async function nextOnlineKeys(tenant: Tenant, names: readonly OnlineKeyName[]): Promise<Partial<OnlineKeys>> {
  const wants = (name: OnlineKeyName) => names.includes(name);
  const set = async (name: DocumentKey) => (await prepareDocumentKey(tenant, name)).toString('utf8');
  return {
    ...(wants('snapshot') ? { snapshot: await prepareOnlineKey(tenant, 'snapshot') } : {}),
    ...(wants('timestamp') ? { timestamp: await prepareOnlineKey(tenant, 'timestamp') } : {}),
    ...(wants('license-issuer') ? { issuers: await set('license-issuer') } : {}),
    ...(wants('director') ? { director: await set('director') } : {}),
    ...(wants('reports') ? { reports: await set('reports') } : {}),
  };
}

export interface RootOfTrust {
  readonly root: Uint8Array;
  readonly targets: Uint8Array;
  readonly issuers: Uint8Array;
  readonly director: Uint8Array;
  /** Absent from older command lines: sites then report without sealing, until a publication brings it. */
  readonly reports?: Uint8Array | undefined;
}

/**
 * Publishes the first root and targets.
 *
 * @throws `trust-exists`, and the codes of the trust core when sites would refuse it
 */
export async function setUpTrust(tenant: Tenant, first: RootOfTrust, actor: Actor): Promise<void> {
  if (await publishedMetadata(tenant, 'root')) {
    throw serverError('trust-exists', 'This organization already has a root of trust.');
  }
  trustRoot(first.root);
  const metadata = new Map([
    ['root', first.root],
    ['targets', first.targets],
  ]);
  const targets = new Map([
    [targetPaths.issuers, first.issuers],
    [targetPaths.director, first.director],
    ...(first.reports ? [[targetPaths.reports, first.reports] as const] : []),
  ]);
  await publish(tenant, { metadata, targets }, db => audit(db, tenant, actor, 'trust.set-up', 'root 1'));
  tenant.log.info('root of trust set up');
}
