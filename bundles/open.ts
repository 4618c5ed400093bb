// From a signed release document to an opened manifest: the order of checks every site follows, connected or not.
import { firstThatHelps, unwrapContentKey } from '../signing/index.ts';
import { bundleError } from './errors.ts';
import { decodeManifest, type Manifest } from './manifest.ts';
import type { ReleaseDocument } from './release.ts';
import { openSealedManifest } from './seal.ts';
import type { ObjectSource } from './source.ts';
import type { BlobStore } from './store/store.ts';
import { type BundleSource, REFUSALS, type SyncOptions, syncObjects } from './sync.ts';

/** Where the parts of a release come from: its key from whoever knows the license, its objects from anywhere. */
export interface ReleaseSources {
  readonly wraps: readonly BundleSource[];
  readonly objects: readonly ObjectSource[];
}

/**
 * Fetches a release's manifest and opens it with the license's key.
 *
 * 1. the sealed manifest is the one the signed document names, byte for byte
 * 2. a wrap opens with this license's secret, for this very manifest; a service that refuses the license has the last word
 * 3. what was wrapped opens the manifest
 * 4. the manifest says the product and version that were signed
 *
 * @throws `object-missing`, `object-corrupt`, `wrap-unopenable`, `manifest-corrupt`
 */
export async function openRelease(
  release: ReleaseDocument,
  license: { readonly id: string; readonly secret: Uint8Array },
  { wraps, objects }: ReleaseSources,
  store: BlobStore,
  options: SyncOptions = {},
): Promise<Manifest> {
  const { sha256, length } = release.manifest;
  await syncObjects([{ name: sha256, size: length }], objects, store, { ...options, verifyStored: true });
  const sealed = await store.get(sha256);
  // Anybody can wrap some key for a license: the right one is the one that opens.
  const manifest = await firstThatHelps(wraps, REFUSALS, async source => {
    const wrap = await source.wrap(license.id, sha256);
    const contentKey = await unwrapContentKey(license.secret, wrap, { license: license.id, release: sha256 });
    return openManifest(sha256, contentKey, sealed);
  });
  if (manifest.product !== release.product || manifest.version !== release.version) {
    const claimed = `${manifest.product} ${manifest.version}`;
    throw bundleError('manifest-corrupt', `The manifest of ${release.product} ${release.version} says ${claimed}.`);
  }
  return manifest;
}

/**
 * Opens a sealed manifest and decodes it.
 *
 * @throws `manifest-corrupt`
 */
export function openManifest(name: string, contentKey: Uint8Array, sealed: Uint8Array): Manifest {
  return decodeManifest(openSealedManifest(name, contentKey, sealed));
}
