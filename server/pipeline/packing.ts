// Packs a release from its directories, upon segments of earlier releases, and sends each object as soon as it is sealed.
import { type Component, type PackBase, type PackedRelease, packRelease } from '../../bundles/index.ts';
import type { ApiClient } from './api-client.ts';
import { type Attestations, attestations } from './attestations.ts';
import { publishedReleases } from './published.ts';
import { type LocalRelease, measure, requireImageFiles } from './release-file.ts';
import { Uploader } from './upload.ts';
import { productKey } from './vendor-keys.ts';

/** Earlier releases whose segments are used again. */
const BASE_RELEASES = 3;

export interface LocalOptions {
  /** The release file. */
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

export interface UploadedRelease {
  readonly packed: PackedRelease;
  /** What is to be signed beside it. */
  readonly about: Attestations;
  /** Takes leases for what else belongs to it. */
  readonly uploader: Uploader;
  readonly sentBytes: number;
}

/** Looks at the release's trees, packs them, sends what the service lacks, and says what is in them and where it comes from. */
export async function packLocal(
  api: ApiClient,
  release: LocalRelease,
  options: LocalOptions,
): Promise<UploadedRelease> {
  const { product } = release;
  options.onStep('looking at the directories');
  await requireImageFiles(release);
  const totalBytes = measure(release);
  const { key, created } = await productKey(options.keysDirectory, product);
  if (created) options.onStep(`made a new product key for ${product} in ${options.keysDirectory}`);

  options.onStep('packing, sealing and uploading');
  const uploader = new Uploader(api);
  const packed = await packAndUpload(api, release, key, uploader, {
    ...options,
    onProgress: done => options.onProgress(done, totalBytes),
  });
  const { nowMs: startedMs, pipelineVersion } = options;
  const facts = { startedMs, finishedMs: Date.now(), pipelineVersion };
  const about = await attestations(options.path, release, packed, facts);
  return { packed, about, uploader, sentBytes: uploader.sentBytes };
}

interface PackOptions {
  readonly latestMtime?: number;
  onProgress(plainBytes: number): void;
}

/** @throws what packing and the API client throw */
async function packAndUpload(
  api: ApiClient,
  release: LocalRelease,
  productKey: Buffer,
  uploader: Uploader,
  { latestMtime, onProgress }: PackOptions,
): Promise<PackedRelease> {
  const packed = await packRelease({
    product: release.product,
    version: release.version,
    productKey,
    components: release.components.map(component => ({ ...component, digests: imageFiles(component) })),
    base: await baseReleases(api, release.product, uploader),
    ...(latestMtime === undefined ? {} : { latestMtime }),
    put: segment => uploader.add(segment),
    onProgress: ({ plainBytes }) => onProgress(plainBytes),
  });
  await uploader.add(packed.manifest);
  await uploader.add(packed.index);
  await uploader.drain();
  return packed;
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

function imageFiles(component: Component): readonly string[] {
  return component.kind === 'microos' ? [component.kernel, component.initrd] : [];
}
