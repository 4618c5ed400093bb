// Published releases as the vendor reads them back: with the content key that the service keeps.
import { type Manifest, openManifest, openSealedIndex } from '../../bundles/index.ts';
import { fromBase64url } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import type { ApiClient } from './api-client.ts';
import { apiObject } from './api-source.ts';

/** A release as `/v1/products/<product>/content-keys` tells it. */
export interface PublishedRelease {
  readonly version: string;
  readonly channel: string;
  readonly manifest: string;
  readonly index: string;
  /** Base64url. */
  readonly contentKey: string;
}

export interface OpenedRelease {
  readonly manifest: Manifest;
  /** SHA-256 of every chunk, 32 bytes each. */
  readonly digests: Buffer;
}

/** The newest releases of a product, newest first; one entry a manifest. */
export async function publishedReleases(
  api: ApiClient,
  product: string,
  most: number,
): Promise<readonly (PublishedRelease & { open(): Promise<OpenedRelease> })[]> {
  type Answer = { releases: PublishedRelease[] };
  const { releases } = await api.get<Answer>(`/v1/products/${product}/content-keys?limit=${most}`);
  return releases.map(release => ({ ...release, open: () => openPublished(api, release) }));
}

/** One version of a product; the newest publication of it when several channels have it. @throws `not-found` */
export async function publishedRelease(api: ApiClient, product: string, version: string) {
  const found = (await publishedReleases(api, product, 1000)).find(release => release.version === version);
  if (!found) throw serverError('not-found', `${product} ${version} is not published.`);
  return found;
}

async function openPublished(
  api: ApiClient,
  { manifest, index, contentKey }: PublishedRelease,
): Promise<OpenedRelease> {
  const key = fromBase64url(contentKey);
  return {
    manifest: openManifest(manifest, key, await apiObject(api, manifest)),
    digests: openSealedIndex(index, key, await apiObject(api, index)),
  };
}
