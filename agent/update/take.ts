// Takes an update from a source, whatever it is: the service, its mirrors, or a stick. A checklist, top to bottom; nothing is used
// before it is verified, and what is interrupted goes on from where it was.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import {
  type BundleSource,
  bundleError,
  type ClosableSource,
  type DroppedSource,
  type FragmentStore,
  filesystemStore,
  imageDigest,
  type Manifest,
  type ObjectSource,
  openRelease,
  type ReleaseDocument,
  removeTree,
  syncSegments,
  unpackRelease,
} from '../../bundles/index.ts';
import {
  type Failure,
  fileTrustStore,
  hasCode,
  type License,
  type MetadataSource,
  type ReferenceTime,
  type Repository,
  RolloverError,
  referenceTime,
  type refresh,
  tryLock,
  visitMirrors,
} from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import { takeAttestations } from './attestations.ts';
import type { Said } from './bulletin.ts';
import { followDirector } from './director.ts';
import { type Knowledge, knowledgeOf, standingNow, writeKnowledge } from './knowledge.ts';
import { followLicense, requireCovered } from './license.ts';
import { nextRelease } from './next-release.ts';
import { addReady, type ReadyRelease, readyReleases, releaseFolder } from './releases.ts';
import { followReportKey } from './report-key.ts';
import { entitlementSecret, type Site } from './site.ts';
import { forgetVisited } from './visited.ts';

export type TakePhase = 'checking' | 'fetching' | 'unpacking';

export interface TakeProgress {
  readonly phase: TakePhase;
  readonly version?: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface TakeOptions {
  readonly directory: string;
  readonly site: Site;
  readonly source: MetadataSource & BundleSource;
  /** How the source's metadata is followed, when it is alone: `refreshFromMedium` for what may have lain on a shelf. */
  readonly follow: typeof refresh;
  /** Some versions need a newer one. */
  readonly agentVersion: string;
  /** What the service says of the channel. Absent for a medium: what it carries, the vendor has sent. */
  readonly bulletin?: Said;
  /** What relays say of it, in their order: for when the service is silent. */
  readonly relayed?: readonly Said[];
  /** Others that may have all of it, and are asked in this order before the source. What they say is worth what it proves. */
  readonly relays?: readonly (MetadataSource & BundleSource)[];
  /** Others that may have all of it. What they say is worth what it proves, as with any source. */
  readonly mirrors?: readonly (MetadataSource & BundleSource)[];
  /** Others on the local network that may have segments already. */
  readonly peers?: readonly ObjectSource[];
  /** Keeps what has arrived of objects that are not whole; the sources' own, so that one goes on where another broke. */
  readonly fragments?: FragmentStore;
  readonly now: Date;
  onProgress?(progress: TakeProgress): void;
  /** Hears of sources that were given up. */
  onDropped?(source: DroppedSource): void;
}

export interface Taken {
  readonly release: ReadyRelease;
  /** False when it was ready before. */
  readonly isNew: boolean;
  readonly license: License;
}

/**
 * Brings the newest release of the site's channel to this site.
 *
 * 1. the metadata is newer than what is known, has not expired by the clock or by what was signed since, and is signed by who
 *    may sign it
 * 2. the license is the vendor's, and covers product, channel and, by its end, the release
 * 3. the service says what this site may install, and has not said it longer ago than before
 * 4. the newest release of the channel that the service names is the very one that the channel's role has signed
 * 5. its provenance is about it
 * 6. it is not a new version on the word of files that are too old for that
 * 7. its manifest opens with this license's key
 * 8. every missing segment arrives, each under its own digest
 * 9. it is unpacked aside, appears at once, and boots what was signed
 *
 * @throws `update-none`, `update-busy`, `license-refused`, `knowledge-old`, and the codes of trust, bundles and the source
 */
export async function takeUpdate(options: TakeOptions): Promise<Taken> {
  const lock = await tryLock(join(options.directory, 'update.lock'));
  if (!lock) throw agentError('update-busy', 'Another check or import of this site is under way.');
  try {
    await forgetVisited(options.directory);
    return await take(options);
  } finally {
    await lock.release();
  }
}

async function take(options: TakeOptions): Promise<Taken> {
  const {
    directory,
    site,
    source,
    follow,
    relays = [],
    mirrors = [],
    peers = [],
    fragments,
    onProgress,
    onDropped,
  } = options;
  onProgress?.({ phase: 'checking', doneBytes: 0, totalBytes: 0 });
  const trust = fileTrustStore(join(directory, 'trust'));
  const time = await referenceTime(join(directory, 'trust'));
  const now = time.now(options.now);
  // The service's word comes first: what it refuses, nobody gives.
  const sources = [source, ...relays, ...mirrors];
  const read = (repository: Repository) => readRelease(options, sources, repository, time, now);
  const anchor = Buffer.from(site.trustAnchor);
  const onFailed = ({ name, error }: Failure) => onDropped?.({ name, reason: error.message });
  const { license, document, knowledge } =
    sources.length === 1
      ? await read(await follow(source, trust, anchor, now.getTime()))
      : await visitMirrors([...relays, source, ...mirrors], trust, anchor, now.getTime(), read, { onFailed });
  const folder = releaseFolder(document);
  const known = (await readyReleases(directory)).find(r => r.document.manifest.sha256 === document.manifest.sha256);
  if (known && (await isBootable(join(directory, folder), document))) return { release: known, isNew: false, license };
  if (!known && standingNow(knowledge, now) === 'restricted') {
    const what = `What ${source.name} proves expired at ${knowledge.expires}`;
    throw agentError('knowledge-old', `${what}; the vendor allows no new version by it.`);
  }
  // Not there, or damaged since: it is unpacked from verified segments (again).
  await removeTree(join(directory, folder));

  const { version } = document;
  const store = filesystemStore(join(directory, 'objects'));
  const holder = { id: license.id, secret: entitlementSecret(site) };
  const everybody = [...sources, ...peers];
  const syncing = { ...(onDropped ? { onDropped } : {}), ...(fragments ? { fragments } : {}) };
  const manifest = await openRelease(document, holder, { wraps: sources, objects: everybody }, store, syncing);
  const fetch = async (verifyStored: boolean) => {
    const bucket = await bucketOf(source, manifest);
    try {
      return await syncSegments(manifest, bucket ? [bucket, ...everybody] : everybody, store, {
        ...syncing,
        verifyStored,
        rankOf: rankAmong([...relays, bucket], source),
        onProgress: ({ doneBytes, totalBytes }) => onProgress?.({ phase: 'fetching', version, doneBytes, totalBytes }),
      });
    } finally {
      bucket?.close();
    }
  };
  let sync = await fetch(false);

  const totalBytes = document.size.plainBytes;
  const unpack = () =>
    unpackRelease({
      manifest,
      manifestDigest: document.manifest.sha256,
      segments: store,
      directory: join(directory, folder),
      owners: false,
      onProgress: doneBytes => onProgress?.({ phase: 'unpacking', version, doneBytes, totalBytes }),
    });
  try {
    await unpack();
  } catch (error) {
    // A segment that rotted on this site's disk is fetched again, once; what is wrong at the source fails again.
    if (!hasCode(error, 'object-corrupt', 'segment-corrupt')) throw error;
    sync = await fetch(true);
    await unpack();
  }
  if (!(await isBootable(join(directory, folder), document))) {
    const what = `${document.product} ${document.version}`;
    throw bundleError('manifest-corrupt', `The image of ${what} is not the one whose digest was signed.`);
  }

  const release: ReadyRelease = {
    document,
    directory: folder,
    source: Object.keys(sync.bySource).join(', ') || source.name,
    takenAt: options.now.toISOString(),
    fetchedBytes: sync.fetchedBytes,
    reusedBytes: sync.reusedBytes,
    bySource: sync.bySource,
  };
  await addReady(directory, release);
  return { release, isNew: true, license };
}

/** Those that are to be asked first have a rank each; then come all others, side by side, and the source after its bucket. */
function rankAmong(first: readonly (ObjectSource | undefined)[], source: ObjectSource) {
  const bucket = first.at(-1);
  return (asked: ObjectSource): number => {
    const place = first.indexOf(asked);
    if (asked === source && bucket) return first.length;
    return place < 0 ? first.length - 1 : place;
  };
}

/** Where the source's objects can be fetched beside it; undefined too when it does not answer: then it is found out by asking it. */
async function bucketOf(source: BundleSource, { segments }: Manifest): Promise<ClosableSource | undefined> {
  try {
    return await source.bucket?.(Array.from(segments, ({ name }) => name));
  } catch (error) {
    if (error instanceof RolloverError) return undefined;
    throw error;
  }
}

/**
 * Everything that is read of the signed metadata: the license that covers, and the release that is next for this site. What was
 * learned is kept, also when that has to wait.
 *
 * @throws `update-held-back` and `agent-too-old` when what is offered is not for this site yet; what `nextRelease` throws
 */
async function readRelease(
  options: TakeOptions,
  sources: readonly BundleSource[],
  repository: Repository,
  time: ReferenceTime,
  now: Date,
): Promise<{ readonly license: License; readonly document: ReleaseDocument; readonly knowledge: Knowledge }> {
  const { directory, site, source } = options;
  const license = await followLicense(directory, site, repository, sources, now);
  const director = await followDirector(directory, site, repository, sources);
  await followReportKey(directory, site, repository);
  const next = await nextRelease(options, repository, director, now);
  if ('document' in next) {
    requireCovered(license, next.document, now);
    await time.advance(newestSigned(repository, next.document));
  }
  const knowledge = knowledgeOf(site, repository, director, source.name);
  await writeKnowledge(directory, knowledge);
  if ('waiting' in next) throw next.waiting;
  const { document } = next;
  await takeAttestations(directory, site, repository, document);
  return { license, document, knowledge };
}

/** The latest time under the vendor's offline keys. */
function newestSigned({ state }: Repository, { createdAt }: ReleaseDocument): Date {
  return new Date(Math.max(Date.parse(createdAt), state.offlineSnapshot?.content.signedMs ?? 0));
}

/** The unpacked kernel and initrd are the ones whose digest nodes will have to report. */
async function isBootable(folder: string, { image }: ReleaseDocument): Promise<boolean> {
  if (!image) return (await stat(folder).catch(() => undefined))?.isDirectory() ?? false;
  const kernel = await fileSha256(join(folder, image.component, image.kernel.path)).catch(() => '');
  const initrd = await fileSha256(join(folder, image.component, image.initrd.path)).catch(() => '');
  return imageDigest(kernel, initrd) === image.digest;
}

async function fileSha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
