// From a signed release document to an opened manifest: the order of checks every site follows, connected or not.
import type { Wrap } from '../signing/index.ts';
import { unwrapContentKey } from '../signing/index.ts';
import { bundleError } from './errors.ts';
import { fetchObject } from './fetch-object.ts';
import { decodeManifest, type Manifest } from './manifest.ts';
import type { ReleaseDocument } from './release.ts';
import { openSealedManifest } from './seal.ts';
import type { BlobStore } from './store/store.ts';
import type { BundleSource } from './sync.ts';

/**
 * Fetches a release's manifest and opens it with the license's key.
 *
 * 1. the sealed manifest is the one the signed document names, byte for byte
 * 2. the wrap opens with this license's secret, for this very manifest
 * 3. the content key opens the manifest
 * 4. the manifest says the product and version that were signed
 *
 * @throws `object-missing`, `object-corrupt`, `wrap-unopenable`, `manifest-corrupt`
 */
export async function openRelease(
  release: ReleaseDocument,
  license: { readonly id: string; readonly secret: Uint8Array },
  source: BundleSource,
  store: BlobStore,
): Promise<{ readonly manifest: Manifest; readonly wrap: Wrap }> {
  const { sha256, length } = release.manifest;
  const sealed = await storedOrFetched(store, source, sha256, length);
  const wrap = await source.wrap(license.id, sha256);
  const contentKey = await unwrapContentKey(license.secret, wrap, { license: license.id, release: sha256 });
  const manifest = openManifest(sha256, contentKey, sealed);
  if (manifest.product !== release.product || manifest.version !== release.version) {
    const claimed = `${manifest.product} ${manifest.version}`;
    throw bundleError('manifest-corrupt', `The manifest of ${release.product} ${release.version} says ${claimed}.`);
  }
  return { manifest, wrap };
}

/**
 * Opens a sealed manifest and decodes it.
 *
 * @throws `manifest-corrupt`
 */
export function openManifest(name: string, contentKey: Uint8Array, sealed: Uint8Array): Manifest {
  return decodeManifest(openSealedManifest(name, contentKey, sealed));
}

/** The verified object, from the store when its copy is intact. */
async function storedOrFetched(
  store: BlobStore,
  source: BundleSource,
  digest: string,
  length: number,
): Promise<Buffer> {
  const local = await store.get(digest).catch(() => undefined);
  if (local) return local;
  await store.put(digest, await fetchObject(source, digest, length));
  return store.get(digest);
}
