// Brings a release to a site: what the site already has is not fetched again, and nothing unverified is stored. Several
// sources are used side by side; one that sends damaged bytes, stalls or drips is dropped and named, and the others go on.
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode, RolloverError, type Wrap } from '../signing/index.ts';
import { bundleError } from './errors.ts';
import { fetchObject, type ObjectSource, type Pace } from './fetch-object.ts';
import type { Manifest, Segment } from './manifest.ts';
import type { BlobStore } from './store/store.ts';

/** Segments fetched at once from one source: enough to hide latency, few enough to keep memory small. */
const PARALLEL_A_SOURCE = 4;
/** A source that fails this often in a row is dropped: a short break of the network is no reason. */
const FAILURES_ALLOWED = 3;
/** Grows with every failure in a row. */
const PAUSE_MS = 250;

/** Where whole bundles come from. */
export interface BundleSource extends ObjectSource {
  /** The content key of a release, wrapped for this site's license. @throws `object-missing` */
  wrap(license: string, manifestDigest: string): Promise<Wrap>;
  /** What the service says that this site may install: a compact JWS. A medium has one for all sites of its license. */
  director(): Promise<string>;
  /** The license document as it is now: a compact JWS. */
  license(): Promise<string>;
}

export interface SyncProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly fetchedBytes: number;
}

/** A source that was given up, and why. */
export interface DroppedSource {
  readonly name: string;
  readonly reason: string;
}

export interface SyncResult {
  readonly fetchedSegments: number;
  readonly fetchedBytes: number;
  /** Segments the site had before, in bytes as stored. */
  readonly reusedBytes: number;
  /** What came from where, in bytes. */
  readonly bySource: Readonly<Record<string, number>>;
  readonly dropped: readonly DroppedSource[];
}

export interface SyncOptions {
  /** Reads what is already stored instead of trusting its size, and fetches damaged segments again. */
  readonly verifyStored?: boolean;
  /** A source that is slower counts as failing. */
  readonly slowest?: Pace;
  readonly onProgress?: (progress: SyncProgress) => void;
  readonly onDropped?: (source: DroppedSource) => void;
}

/**
 * Fetches every segment of a release that the store lacks. Resumable: each one is stored when it has arrived.
 *
 * @param sources the first ones are asked first; a source that lacks an object is simply asked for others
 * @throws what the last source threw that was asked for a segment nobody could give
 */
export async function syncSegments(
  manifest: Manifest,
  sources: readonly ObjectSource[],
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
  const sync = new Sync(missing, sources, store, { ...options, reusedBytes, totalBytes });
  await sync.run();
  const { fetchedBytes, bySource, dropped } = sync;
  return { fetchedSegments: missing.length, fetchedBytes, reusedBytes, bySource, dropped };
}

interface Wanted {
  readonly segment: Segment;
  /** Sources that do not have it, or failed to give it. */
  readonly refusedBy: Set<ObjectSource>;
}

class Sync {
  readonly bySource: Record<string, number> = {};
  readonly dropped: DroppedSource[] = [];
  fetchedBytes = 0;
  readonly #wanted: Wanted[];
  /** Those that are still used, each with what ends its transfers. */
  readonly #sources: Map<ObjectSource, AbortController>;
  readonly #store: BlobStore;
  readonly #options: SyncOptions & { readonly reusedBytes: number; readonly totalBytes: number };
  readonly #failures = new Map<ObjectSource, number>();
  #left: number;
  #fatal: { readonly error: unknown } | undefined;
  #lastError: unknown;
  /** Called whenever something changed that a waiting worker may be waiting for. */
  #wake: () => void = () => undefined;
  #changed: Promise<void> = Promise.resolve();

  constructor(
    segments: readonly Segment[],
    sources: readonly ObjectSource[],
    store: BlobStore,
    options: SyncOptions & { readonly reusedBytes: number; readonly totalBytes: number },
  ) {
    this.#wanted = segments.map(segment => ({ segment, refusedBy: new Set() }));
    this.#left = segments.length;
    this.#sources = new Map(sources.map(source => [source, new AbortController()]));
    this.#store = store;
    this.#options = options;
    this.#renew();
  }

  async run(): Promise<void> {
    this.#report();
    const workers = [...this.#sources].flatMap(([source, { signal }]) =>
      Array.from({ length: PARALLEL_A_SOURCE }, () => this.#work(source, signal)),
    );
    await Promise.all(workers);
    if (this.#fatal) throw this.#fatal.error;
    if (this.#left > 0) throw this.#lastError ?? bundleError('object-missing', 'There is no source to fetch from.');
  }

  /** One line to one source, until nothing is left that it could give. */
  async #work(source: ObjectSource, stop: AbortSignal): Promise<void> {
    while (this.#left > 0 && !this.#fatal && this.#sources.has(source)) {
      const index = this.#wanted.findIndex(wanted => !wanted.refusedBy.has(source));
      const wanted = this.#wanted[index];
      if (wanted) {
        this.#wanted.splice(index, 1);
        await this.#fetch(source, wanted, stop);
      } else if (this.#isHopeless()) return;
      else await this.#changed;
    }
    this.#signal();
  }

  async #fetch(source: ObjectSource, wanted: Wanted, stop: AbortSignal): Promise<void> {
    const { name, sealedSize } = wanted.segment;
    const { slowest } = this.#options;
    let bytes: Uint8Array;
    try {
      bytes = await fetchObject(source, name, sealedSize, { slowest, stop });
      await this.#store.put(name, bytes);
      this.#failures.set(source, 0);
    } catch (error) {
      this.#failed(source, wanted, error);
      await sleep(PAUSE_MS * (this.#failures.get(source) ?? 0));
      return;
    }
    this.#left--;
    this.fetchedBytes += bytes.length;
    this.bySource[source.name] = (this.bySource[source.name] ?? 0) + bytes.length;
    this.#report();
    this.#signal();
  }

  #failed(source: ObjectSource, wanted: Wanted, error: unknown): void {
    this.#lastError = error;
    this.#wanted.push(wanted);
    if (hasCode(error, 'disk-write')) {
      this.#fatal ??= { error }; // our own disk: no source can help
      for (const transfers of this.#sources.values()) transfers.abort(error);
    } else if (hasCode(error, 'object-missing')) {
      wanted.refusedBy.add(source);
    } else if (hasCode(error, 'object-corrupt', 'feed-too-large', 'feed-refused', 'license-refused')) {
      this.#drop(source, error);
    } else {
      const failures = (this.#failures.get(source) ?? 0) + 1;
      this.#failures.set(source, failures);
      if (failures >= FAILURES_ALLOWED) this.#drop(source, error);
    }
    this.#signal();
  }

  #drop(source: ObjectSource, error: unknown): void {
    const transfers = this.#sources.get(source);
    if (!transfers) return;
    this.#sources.delete(source);
    transfers.abort(error);
    const dropped = { name: source.name, reason: error instanceof RolloverError ? error.message : String(error) };
    this.dropped.push(dropped);
    this.#options.onDropped?.(dropped);
  }

  /** True when what is left can be given by none of the sources that are left, and nothing is under way. */
  #isHopeless(): boolean {
    if (this.#wanted.length < this.#left) return false;
    return this.#wanted.every(({ refusedBy }) => [...this.#sources.keys()].every(source => refusedBy.has(source)));
  }

  #report(): void {
    const { reusedBytes, totalBytes, onProgress } = this.#options;
    onProgress?.({ doneBytes: reusedBytes + this.fetchedBytes, totalBytes, fetchedBytes: this.fetchedBytes });
  }

  #signal(): void {
    const wake = this.#wake;
    this.#renew();
    wake();
  }

  #renew(): void {
    this.#changed = new Promise(resolve => {
      this.#wake = resolve;
    });
  }
}

async function isStored(store: BlobStore, segment: Segment, verify: boolean): Promise<boolean> {
  if ((await store.size(segment.name)) !== segment.sealedSize) return false;
  if (!verify) return true;
  return store.get(segment.name).then(
    () => true,
    () => false,
  );
}
