// Packs a release from its directories, upon segments of earlier releases, and sends each object as soon as it is sealed.
import { type Component, type PackBase, type PackedRelease, packRelease } from '../../bundles/index.ts';
import type { ApiClient } from './api-client.ts';
import { publishedReleases } from './published.ts';
import type { LocalRelease } from './release-file.ts';
import { Uploader } from './upload.ts';

/** Earlier releases whose segments are used again. */
const BASE_RELEASES = 3;

export interface PackOptions {
  /** SOURCE_DATE_EPOCH: later file times are written as this one, in seconds since 1970. */
  readonly latestMtime?: number;
  onProgress(plainBytes: number): void;
}

/**
 * Packs and seals the release's trees, and sends what the service lacks.
 *
 * @throws what packing and the API client throw
 */
export async function packAndUpload(
  api: ApiClient,
  release: LocalRelease,
  productKey: Buffer,
  { latestMtime, onProgress }: PackOptions,
): Promise<{ readonly packed: PackedRelease; readonly sentBytes: number }> {
  const uploader = new Uploader(api);
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
  return { packed, sentBytes: uploader.sentBytes };
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
