// The last look before a release goes live: can a site really fetch all of it?
import { type BlobStore, decodeManifest, openSealedManifest } from '../../bundles/index.ts';
import { serverError } from '../errors.ts';

/**
 * Opens the manifest with its content key and finds every segment in the store.
 *
 * @throws `release-incomplete`, `manifest-corrupt`, `object-missing`, `object-corrupt`
 */
export async function requireComplete(blobs: BlobStore, manifestDigest: string, contentKey: Uint8Array): Promise<void> {
  const manifest = decodeManifest(openSealedManifest(manifestDigest, contentKey, await blobs.get(manifestDigest)));
  for (const { name, sealedSize } of manifest.segments) {
    if ((await blobs.size(name)) === sealedSize) continue;
    throw serverError('release-incomplete', `Segment ${name} of ${manifest.product} ${manifest.version} is missing.`);
  }
}
