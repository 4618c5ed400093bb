// Brings a release to a site: what the site already has is not fetched again, and nothing unverified is stored.
// The same code reads the hosted service, a relay and a stick; it only sees a BundleSource.
import type { Wrap } from '../signing/index.ts';
import type { Manifest, Segment } from './manifest.ts';
import type { BlobStore } from './store/store.ts';

/** Segments fetched at once: enough to hide latency, few enough to keep memory under 20 MB. */
const PARALLEL = 6;

/** Where bundles come from. Objects are verified by whoever receives them. */
export interface BundleSource {
  /** Said in errors and on the console, as in `stick /media/usb0` or `service updates.example`. */
  readonly name: string;
  /** @throws `object-missing`, and transport errors */
  object(digest: string, maxBytes: number): Promise<Uint8Array>;
  /** The content key of a release, wrapped for this site's license. @throws `object-missing` */
  wrap(license: string, manifestDigest: string): Promise<Wrap>;
}

export interface SyncProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly fetchedBytes: number;
}

export interface SyncResult {
  readonly fetchedSegments: number;
  readonly fetchedBytes: number;
  /** Segments the site had before, in bytes as stored. */
  readonly reusedBytes: number;
}

export interface SyncOptions {
  /** Reads what is already stored instead of trusting its size, and fetches damaged segments again. */
  readonly verifyStored?: boolean;
  readonly onProgress?: (progress: SyncProgress) => void;
}

/**
 * Fetches every segment of a release that the store lacks. Resumable: each one is stored when it has arrived.
 *
 * @throws `object-missing`, `object-corrupt`, and what the source throws
 */
export async function syncSegments(
  manifest: Manifest,
  source: BundleSource,
  store: BlobStore,
  options: SyncOptions = {},
): Promise<SyncResult> {
  const missing: Segment[] = [];
  let totalBytes = 0;
  let reusedBytes = 0;
  for (const segment of manifest.segments) {
    totalBytes += segment.sealedSize;
    if (await isStored(store, segment, options.verifyStored ?? false)) reusedBytes += segment.sealedSize;
    else missing.push(segment);
  }
  let fetchedBytes = 0;
  const report = () => options.onProgress?.({ doneBytes: reusedBytes + fetchedBytes, totalBytes, fetchedBytes });
  report();
  let failed = false;
  const queue = missing.values();
  const worker = async () => {
    for (const { name, sealedSize } of queue) {
      if (failed) return;
      await store.put(name, await source.object(name, sealedSize));
      fetchedBytes += sealedSize;
      report();
    }
  };
  const stopOthers = (error: unknown) => {
    failed = true;
    throw error;
  };
  await Promise.all(Array.from({ length: PARALLEL }, () => worker().catch(stopOthers)));
  return { fetchedSegments: missing.length, fetchedBytes, reusedBytes };
}

async function isStored(store: BlobStore, segment: Segment, verify: boolean): Promise<boolean> {
  if ((await store.size(segment.name)) !== segment.sealedSize) return false;
  if (!verify) return true;
  return store.get(segment.name).then(
    () => true,
    () => false,
  );
}
