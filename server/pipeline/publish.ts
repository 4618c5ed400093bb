// The release pipeline: packs real directories, uploads what is new, signs, and waits until the service has published.
// Running it again after an interruption sends only what is missing.
import type { PackedRelease } from '../../bundles/index.ts';
import { DEFAULT_LIFE_MS, expiryWarnings } from '../ceremony/expiry.ts';
import { encodeFiles } from '../files.ts';
import type { ApiClient } from './api-client.ts';
import { attestationTargets } from './attestations.ts';
import { readChannel, requireNewest } from './channel-metadata.ts';
import { type Offer, offerRelease } from './offer.ts';
import { KEYS_ELSEWHERE, publishOfflineSnapshot } from './offline-snapshot.ts';
import { type LocalOptions, packLocal } from './packing.ts';
import { releaseDocument } from './release-document.ts';
import { type LocalRelease, openReleaseFile } from './release-file.ts';
import { signersOf } from './vendor-keys.ts';

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
export async function publishReleaseFile(api: ApiClient, options: LocalOptions): Promise<Published> {
  const release = await openReleaseFile(options.path);
  try {
    return await publish(api, release, options);
  } finally {
    await release.dispose();
  }
}

async function publish(api: ApiClient, release: LocalRelease, options: LocalOptions): Promise<Published> {
  const { product, version, channel } = release;
  const signers = await signersOf(options.keysDirectory, 'targets');
  const before = await readChannel(api, product, channel);
  requireNewest(before, version);

  const { packed, sentBytes, about } = await packLocal(api, release, options);
  const offer = offerOf(api, release, packed, attestationTargets(release, about), options.nowMs);
  const counter = await offerRelease(api, offer, signers, options);
  const { nowMs: startedMs } = options;
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

/** What packing has made, to be offered in the release's channel. */
function offerOf(
  api: ApiClient,
  release: LocalRelease,
  packed: PackedRelease,
  about: ReadonlyMap<string, Buffer>,
  nowMs: number,
): Offer {
  const { product, version, channel } = release;
  return {
    product,
    version,
    channel,
    content: packed.content,
    about,
    document: counter => releaseDocument(release, packed, counter, nowMs),
    submit: (document, { metadata, targets }) =>
      api.post('/v1/releases', {
        channel,
        document: document.toString('base64'),
        content: packed.content,
        index: packed.index.name,
        contentKey: packed.manifest.key.toString('base64'),
        metadata: encodeFiles(metadata),
        targets: encodeFiles(targets),
      }),
  };
}
