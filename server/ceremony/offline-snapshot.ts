// The offline snapshot: what people sign for sites without a network, over the files that are published at that moment.
import {
  type FileMeta,
  type Grace,
  LIMITS,
  metadataFile,
  offlineSnapshotDocument,
  parseMetadata,
  promiseOf,
} from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import type { Proposal } from './proposal.ts';
import type { PublishedRoles } from './published-roles.ts';

/** A month to bring the next stick in peace, and two more in which nothing new is brought in. */
const DEFAULT_GRACE: Grace = { warnDays: 30, restrictDays: 60 };

/** What somebody decides about the next one. Without a grace it has that of the one before. */
export interface OfflineTerms {
  readonly expiresMs: number;
  readonly signedMs: number;
  readonly grace?: Partial<Grace>;
}

/** The files that it is made of, as published. */
export interface OfflineBasis {
  readonly root: Buffer;
  readonly snapshot: Buffer;
  readonly offlineSnapshot: Buffer | undefined;
}

/** The document of the next offline snapshot, over what the online snapshot lists. @throws `config-invalid` */
export function nextOfflineSnapshot({ root, snapshot, offlineSnapshot }: OfflineBasis, terms: OfflineTerms): object {
  const before = offlineSnapshot && parseMetadata('offline-snapshot', offlineSnapshot).content;
  const online = parseMetadata('snapshot', snapshot).content;
  const { expiresMs, signedMs } = terms;
  const grace = { ...DEFAULT_GRACE, ...before?.grace, ...terms.grace };
  if (grace.warnDays + grace.restrictDays > LIMITS.graceDays) {
    throw serverError(
      'config-invalid',
      `The days with a warning and the restricted ones are more than ${LIMITS.graceDays}.`,
    );
  }
  return offlineSnapshotDocument({
    version: (before?.version ?? 0) + 1,
    expiresMs,
    signedMs,
    root: promiseOf({ version: parseMetadata('root', root).content.version, bytes: root }),
    snapshot: online.version,
    meta: online.meta,
    grace,
  });
}

/**
 * Proposes the next offline snapshot, for people to sign.
 *
 * @throws `trust-missing` while nothing is published, `config-invalid` where root names nobody for it
 */
export function proposeOfflineSnapshot(published: PublishedRoles, terms: OfflineTerms, createdAt: string): Proposal {
  const { roots, snapshot, offlineSnapshot } = published;
  const root = roots.at(-1);
  if (!root || !snapshot) throw serverError('trust-missing', 'The service has published nothing yet.');
  if (!parseMetadata('root', root).content.roles.has('offline-snapshot')) {
    throw serverError('config-invalid', 'Root names nobody who signs an offline snapshot.', {
      hint: 'Name signers first: rollover trust request --add-offline-snapshot-signer <card...>',
    });
  }
  const next = metadataFile(nextOfflineSnapshot({ root, snapshot, offlineSnapshot }, terms), new Map());
  const role = 'offline-snapshot';
  const before: [string, Buffer][] = offlineSnapshot ? [[role, offlineSnapshot]] : [];
  return { createdAt, roots, published: new Map(before), next: new Map([[role, next]]), objects: new Map() };
}

/** What was published since it was signed: names and versions. Empty while it lists all that sites can have. */
export function missingFrom(
  offlineSnapshot: Buffer,
  published: Pick<OfflineBasis, 'root' | 'snapshot'>,
): readonly string[] {
  const { root, meta } = parseMetadata('offline-snapshot', offlineSnapshot).content;
  const newest = parseMetadata('root', published.root).content.version;
  const listed = parseMetadata('snapshot', published.snapshot).content.meta;
  const isOlder = ([name, { version }]: [string, FileMeta]) => (meta.get(name)?.version ?? 0) < version;
  return [
    ...(root.version < newest ? [`root ${newest}`] : []),
    ...[...listed].filter(isOlder).map(([name, { version }]) => `${name.replace(/\.json$/, '')} ${version}`),
  ];
}
