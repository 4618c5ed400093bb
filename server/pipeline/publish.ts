// The release pipeline: packs real directories, uploads what is new, signs, and waits until the service has published.
// Running it again after an interruption sends only what is missing.
import { setTimeout as sleep } from 'node:timers/promises';
import {
  bundleError,
  type Component,
  type Image,
  imageDigest,
  type PackBase,
  type PackedRelease,
  packRelease,
  type ReleaseDocument,
} from '../../bundles/index.ts';
import { hasCode, type Signer } from '../../signing/index.ts';
import { DEFAULT_LIFE_MS, expiryWarnings } from '../ceremony/expiry.ts';
import { serverError } from '../errors.ts';
import type { ReleaseView } from '../releases/releases.ts';
import type { ApiClient } from './api-client.ts';
import { attestations } from './attestations.ts';
import { type ChannelPublication, type ChannelState, readChannel, withRelease } from './channel-metadata.ts';
import { KEYS_ELSEWHERE, publishOfflineSnapshot } from './offline-snapshot.ts';
import { publishedReleases } from './published.ts';
import { type LocalRelease, measure, openReleaseFile, requireImageFiles } from './release-file.ts';
import { Uploader } from './upload.ts';
import { productKey, signersOf } from './vendor-keys.ts';
import { compareVersions } from './version-order.ts';

const POLL_MS = 200;
/** How often a publication is signed anew because others were first. */
const TURNS = 5;
/** The service reads every object of the release once. */
const PUBLISH_TIMEOUT_MS = 30 * 60_000;
/** Earlier releases whose segments are used again. */
const BASE_RELEASES = 3;

export interface PublishOptions {
  readonly path: string;
  readonly keysDirectory: string;
  readonly nowMs: number;
  /** Said in the release's provenance. */
  readonly pipelineVersion: string;
  /** SOURCE_DATE_EPOCH: later file times are written as this one, in seconds since 1970. */
  readonly latestMtime?: number;
  onStep(step: string): void;
  onProgress(done: number, total: number): void;
}

export interface Published {
  readonly product: string;
  readonly version: string;
  readonly channel: string;
  readonly counter: number;
  readonly address: string;
  readonly manifest: string;
  readonly files: number;
  readonly plainBytes: number;
  readonly sealedBytes: number;
  /** Sealed segments that no earlier release had. */
  readonly newBytes: number;
  /** What was sent to the service now. */
  readonly sentBytes: number;
  /** Root or targets that expire soon, a sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Publishes the release that a `release.yaml` describes.
 *
 * @throws `release-file`, `directory-missing`, `entry-unsupported`, `link-outside`, `release-exists`, `keys-missing`, …
 */
export async function publishReleaseFile(api: ApiClient, options: PublishOptions): Promise<Published> {
  const release = await openReleaseFile(options.path);
  try {
    return await publish(api, release, options);
  } finally {
    await release.dispose();
  }
}

async function publish(api: ApiClient, release: LocalRelease, options: PublishOptions): Promise<Published> {
  const { product, version, channel } = release;
  const signers = await signersOf(options.keysDirectory, 'targets');
  const before = await readChannel(api, product, channel);
  requireNewest(before, version);

  options.onStep('looking at the directories');
  await requireImageFiles(release);
  const totalBytes = measure(release);
  const { key, created } = await productKey(options.keysDirectory, product);
  if (created) options.onStep(`made a new product key for ${product} in ${options.keysDirectory}`);

  options.onStep('packing, sealing and uploading');
  const uploader = new Uploader(api);
  const packed = await pack(release, key, await baseReleases(api, product, uploader), uploader, options, totalBytes);
  const { nowMs: startedMs, pipelineVersion } = options;
  const about = await attestations(options.path, release, packed, {
    startedMs,
    finishedMs: Date.now(),
    pipelineVersion,
  });
  const counter = await publishPacked(api, release, packed, about, signers, options);
  const terms = { expiresMs: startedMs + DEFAULT_LIFE_MS, signedMs: startedMs };
  const offline = await publishOfflineSnapshot(api, options.keysDirectory, terms);
  return {
    product,
    version,
    channel,
    counter,
    address: `${product}/${channel}/${version}`,
    manifest: packed.manifest.name,
    files: packed.files,
    plainBytes: packed.plainBytes,
    sealedBytes: packed.sealedBytes,
    newBytes: packed.newBytes,
    sentBytes: uploader.sentBytes,
    warnings: [
      ...expiryWarnings(before, options.nowMs),
      ...(offline.status === 'keys-elsewhere' ? [KEYS_ELSEWHERE] : []),
    ],
  };
}

/**
 * Signs and submits; returns the release's number in its channel. Whoever publishes at the same time may be first: then it is
 * signed again on top of theirs.
 */
async function publishPacked(
  api: ApiClient,
  release: LocalRelease,
  packed: PackedRelease,
  about: ReadonlyMap<string, Buffer>,
  signers: readonly Signer[],
  options: PublishOptions,
): Promise<number> {
  const { product, version, channel } = release;
  for (let turn = 1; ; turn++) {
    const state = await readChannel(api, product, channel);
    const published = state.channel.releases.find(known => known.version === version);
    if (published) {
      await requireSamePublished(api, release, packed);
      return published.counter;
    }
    requireNewest(state, version);
    const counter = nextCounter(state);
    const document = releaseDocument(release, packed, counter, options.nowMs);
    const bytes = Buffer.from(JSON.stringify(document));
    options.onStep('signing');
    const publication = await withRelease(state, document, bytes, about, signers, options.nowMs);
    options.onStep('publishing');
    try {
      await submit(api, channel, bytes, packed, publication);
      return counter;
    } catch (error) {
      if (!hasCode(error, 'metadata-conflict') || turn === TURNS) throw error;
      options.onStep('somebody else has published meanwhile: trying again');
    }
  }
}

/** A site takes what was published last: an older version would be a way back. @throws `version-older` */
function requireNewest({ channel }: ChannelState, version: string): void {
  const newest = channel.releases
    .map(release => release.version)
    .toSorted(compareVersions)
    .at(-1);
  const isPublished = channel.releases.some(release => release.version === version);
  if (newest === undefined || isPublished || compareVersions(version, newest) > 0) return;
  const what = `${channel.product}/${channel.channel} has ${newest} already`;
  throw serverError('version-older', `${what}, which is not older than ${version}.`);
}

/** Earlier releases of which every segment is still there, and leased from now on. */
async function baseReleases(api: ApiClient, product: string, uploader: Uploader): Promise<readonly PackBase[]> {
  const base: PackBase[] = [];
  for (const release of await publishedReleases(api, product, BASE_RELEASES)) {
    const { manifest, digests } = await release.open();
    const missing = await uploader.missing(Array.from(manifest.segments, segment => segment.name));
    if (missing.size === 0) base.push({ manifest, digests });
  }
  return base;
}

async function pack(
  release: LocalRelease,
  productKey: Buffer,
  base: readonly PackBase[],
  uploader: Uploader,
  options: PublishOptions,
  totalBytes: number,
): Promise<PackedRelease> {
  const packed = await packRelease({
    product: release.product,
    version: release.version,
    productKey,
    components: release.components.map(component => ({ ...component, digests: imageFiles(component) })),
    base,
    ...(options.latestMtime === undefined ? {} : { latestMtime: options.latestMtime }),
    put: segment => uploader.add(segment),
    onProgress: ({ plainBytes }) => options.onProgress(plainBytes, totalBytes),
  });
  await uploader.add(packed.manifest);
  await uploader.add(packed.index);
  await uploader.drain();
  return packed;
}

function imageFiles(component: Component): readonly string[] {
  return component.kind === 'microos' ? [component.kernel, component.initrd] : [];
}

function releaseDocument(
  release: LocalRelease,
  packed: PackedRelease,
  counter: number,
  nowMs: number,
): ReleaseDocument {
  const image = bootImage(release, packed);
  const { product, version, notes, components } = release;
  return {
    format: 1,
    product,
    version,
    counter,
    createdAt: new Date(nowMs).toISOString(),
    notes,
    manifest: { sha256: packed.manifest.name, length: packed.manifest.bytes.length },
    components: components.map(({ name, kind }) => ({ name, kind })),
    ...(image ? { image } : {}),
    size: {
      files: packed.files,
      plainBytes: packed.plainBytes,
      sealedBytes: packed.sealedBytes,
      segments: packed.segments,
    },
  };
}

function nextCounter({ channel }: ChannelState): number {
  return Math.max(0, ...channel.releases.map(release => release.counter)) + 1;
}

function bootImage({ components }: LocalRelease, packed: PackedRelease): Image | undefined {
  const component = components.find(c => c.kind === 'microos');
  if (!component) return undefined;
  const reference = (path: string) => {
    const digest = packed.digests.get(`${component.name}/${path}`);
    if (!digest) throw bundleError('release-file', `The component ${component.name} has no file ${path}.`);
    return { path, ...digest };
  };
  const kernel = reference(component.kernel);
  const initrd = reference(component.initrd);
  return {
    component: component.name,
    hardware: component.hardware,
    kernel,
    initrd,
    digest: imageDigest(kernel.sha256, initrd.sha256),
  };
}

async function submit(
  api: ApiClient,
  channel: string,
  document: Buffer,
  packed: PackedRelease,
  publication: ChannelPublication,
): Promise<void> {
  const base64 = (files: ReadonlyMap<string, Buffer>) =>
    Object.fromEntries([...files].map(([name, bytes]) => [name, bytes.toString('base64')]));
  let release = await api.post<ReleaseView>('/v1/releases', {
    channel,
    document: document.toString('base64'),
    content: packed.content,
    index: packed.index.name,
    contentKey: packed.manifest.key.toString('base64'),
    metadata: base64(publication.metadata),
    targets: base64(publication.targets),
  });
  const deadline = Date.now() + PUBLISH_TIMEOUT_MS;
  while (release.state === 'publishing') {
    if (Date.now() > deadline)
      throw serverError('service-failed', 'The service has not published the release in time.');
    await sleep(POLL_MS);
    release = await api.get<ReleaseView>(`/v1/releases/${release.id}`);
  }
  if (release.state !== 'published') {
    if (release.problem?.startsWith('metadata-conflict: ')) {
      throw serverError('metadata-conflict', `Others publish to ${channel} all the time.`);
    }
    throw serverError('release-incomplete', `The service refused the release: ${release.problem}`);
  }
  requireContent(release, packed);
}

/** Publishing a published version again is fine when nothing changed. @throws `release-exists` */
async function requireSamePublished(
  api: ApiClient,
  { product, version, channel }: LocalRelease,
  packed: PackedRelease,
): Promise<void> {
  const query = new URLSearchParams({ product, version, channel });
  const { releases } = await api.get<{ releases: ReleaseView[] }>(`/v1/releases?${query}`);
  requireContent(releases[0] ?? { product, version, channel }, packed);
}

function requireContent(
  { product, version, channel, content }: Pick<ReleaseView, 'product' | 'version' | 'channel'> & Partial<ReleaseView>,
  packed: PackedRelease,
): void {
  if (content === packed.content) return;
  const what = `${product} ${version} is already in ${channel}`;
  throw serverError('release-exists', `${what}, with other content or other file times.`);
}
