// The last look before a release goes live: can a site really fetch all of it?
import { type BlobStore, openManifest } from '../../bundles/index.ts';
import { hasCode } from '../../signing/index.ts';
import { serverError } from '../errors.ts';

/**
 * Opens the manifest with its content key, reads every object of the release, and makes all of it durable. A damaged one is
 * removed, so that publishing again sends it again.
 *
 * @throws `release-incomplete`, `manifest-corrupt`
 */
export async function requireComplete(
  blobs: BlobStore,
  release: { readonly manifest_digest: string; readonly index_digest: string },
  contentKey: Uint8Array,
): Promise<void> {
  const sealed = await requireObject(blobs, release.manifest_digest);
  const { segments } = openManifest(release.manifest_digest, contentKey, sealed);
  await requireObject(blobs, release.index_digest);
  for (const { name } of segments) await requireObject(blobs, name);
  await blobs.flush();
}

async function requireObject(blobs: BlobStore, digest: string): Promise<Buffer> {
  try {
    return await blobs.get(digest);
  } catch (error) {
    if (!hasCode(error, 'object-missing', 'object-corrupt')) throw error;
    await blobs.remove(digest);
    throw serverError('release-incomplete', `The object ${digest} of the release is missing or damaged.`, {
      cause: error,
    });
  }
}
