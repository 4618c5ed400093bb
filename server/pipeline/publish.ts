// The release pipeline: packs real directories, uploads what is new, signs, and waits until the service has published.
// Running it again after an interruption sends only what is missing.
import type { PackedRelease } from '../../bundles/index.ts';
import { hasCode, type Signer } from '../../signing/index.ts';
import { DEFAULT_LIFE_MS, expiryWarnings } from '../ceremony/expiry.ts';
import type { ApiClient } from './api-client.ts';
import { attestations } from './attestations.ts';
import { nextCounter, readChannel, requireNewest, withRelease } from './channel-metadata.ts';
import { KEYS_ELSEWHERE, publishOfflineSnapshot } from './offline-snapshot.ts';
import { packAndUpload } from './packing.ts';
import { releaseDocument } from './release-document.ts';
import { type LocalRelease, measure, openReleaseFile, requireImageFiles } from './release-file.ts';
import { requireSamePublished, submit } from './submission.ts';
import { productKey, signersOf } from './vendor-keys.ts';

/** How often a publication is signed anew because others were first. */
const TURNS = 5;

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
  const onProgress = (done: number) => options.onProgress(done, totalBytes);
  const { packed, sentBytes } = await packAndUpload(api, release, key, { ...options, onProgress });
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
    sentBytes,
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
