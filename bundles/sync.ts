// Brings objects to a site: what the site already has is not fetched again, and nothing unverified is stored. Several sources are
// used side by side, or the near ones before the others; one that sends damaged bytes, stalls or drips is dropped and named, and the
// others go on, also in the middle of an object.
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode, RolloverError, type Wrap } from '../signing/index.ts';
import { bundleError } from './errors.ts';
import { fetchObject } from './fetch-object.ts';
import { FragmentStore } from './fragment-store.ts';
import type { Manifest } from './manifest.ts';
import type { Pace } from './pace.ts';
import type { ObjectSource } from './source.ts';
import type { BlobStore } from './store/store.ts';

/**
 * Objects fetched at once: enough to hide latency, few enough to keep memory small, and that each of them keeps its pace where all
 * sources are reached over one slow line. Every source has at least one, and more when others are dropped.
 */
const PARALLEL = 4;
/** A source that fails this often in a row is dropped: a short break of the network is no reason. A slow one has had its time. */
const FAILURES_ALLOWED = 3;
/** The word of a service that does not serve this license: whoever else has its files does not change that. */
export const REFUSALS: readonly string[] = ['feed-refused', 'license-refused'];
/** Grows with every failure in a row. */
const PAUSE_MS = 250;

/** A source with lines of its own. */
export interface ClosableSource extends ObjectSource {
  close(): void;
}

/** Where whole bundles come from. */
export interface BundleSource extends ObjectSource {
  /** The content key of a release, wrapped for this site's license. @throws `object-missing` */
  wrap(license: string, manifestDigest: string): Promise<Wrap>;
  /** What the service says that this site may install: a compact JWS. A medium has one for all sites of its license. */
  director(): Promise<string>;
  /** The license document as it is now: a compact JWS. */
  license(): Promise<string>;
  /**
   * Another place that has this source's objects, and is to be asked before it; undefined where there is none.
   *
   * @param digests what will be asked for, in this order
   */
  bucket?(digests: readonly string[]): Promise<ClosableSource | undefined>;
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

/** What is wanted. */
export interface WantedObject {
  readonly name: string;
  readonly size: number;
}

export interface SyncResult {
  readonly fetchedBytes: number;
  /** Objects the site had before, in bytes as stored. */
  readonly reusedBytes: number;
  /** What came from where, in bytes. */
  readonly bySource: Readonly<Record<string, number>>;
  readonly dropped: readonly DroppedSource[];
}

export interface SyncOptions {
  /** Reads what is already stored instead of trusting its size, and fetches damaged objects again. */
  readonly verifyStored?: boolean;
  /** A source that is slower counts as failing. */
  readonly slowest?: Pace;
  /** Keeps what has arrived of objects that are not whole; without one, it is lost with this run. */
  readonly fragments?: FragmentStore;
  /** A source is asked only for what those of a lower rank cannot give. All are of one rank without this. */
  readonly rankOf?: (source: ObjectSource) => number;
  readonly onProgress?: (progress: SyncProgress) => void;
  readonly onDropped?: (source: DroppedSource) => void;
}

/** Fetches every segment of a release that the store lacks. Otherwise as {@link syncObjects}. */
export async function syncSegments(
  manifest: Manifest,
  sources: readonly ObjectSource[],
  store: BlobStore,
  options: SyncOptions = {},
): Promise<SyncResult> {
  const objects = Array.from(manifest.segments, ({ name, sealedSize }) => ({ name, size: sealedSize }));
  return syncObjects(objects, sources, store, options);
}

/**
 * Fetches every object that the store lacks. Resumable: each one is stored when it has arrived, and what has arrived of others is
 * kept.
 *
 * @param sources those of one rank share the work; a source that lacks an object is simply asked for others
 * @throws what the last source threw that was asked for an object nobody could give
 */
export async function syncObjects(
  objects: readonly WantedObject[],
  sources: readonly ObjectSource[],
  store: BlobStore,
  options: SyncOptions = {},
): Promise<SyncResult> {
  const missing: WantedObject[] = [];
  let totalBytes = 0;
  let reusedBytes = 0;
  for (const object of objects) {
    totalBytes += object.size;
    if (await isStored(store, object, options.verifyStored ?? false)) reusedBytes += object.size;
    else missing.push(object);
  }
  const sync = new Sync(missing, sources, store, { ...options, reusedBytes, totalBytes });
  await sync.run();
  const { fetchedBytes, bySource, dropped } = sync;
  return { fetchedBytes, reusedBytes, bySource, dropped };
}

interface Wanted {
  readonly object: WantedObject;
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
  readonly #fragments: FragmentStore;
  readonly #options: SyncOptions & { readonly reusedBytes: number; readonly totalBytes: number };
  readonly #failures = new Map<ObjectSource, number>();
  #left: number;
  #fatal: { readonly error: unknown } | undefined;
  #lastError: unknown;
  /** Called whenever something changed that a waiting worker may be waiting for. */
  #wake: () => void = () => undefined;
  #changed: Promise<void> = Promise.resolve();

  constructor(
    objects: readonly WantedObject[],
    sources: readonly ObjectSource[],
    store: BlobStore,
    options: SyncOptions & { readonly reusedBytes: number; readonly totalBytes: number },
  ) {
    this.#wanted = objects.map(object => ({ object, refusedBy: new Set() }));
    this.#left = objects.length;
    this.#sources = new Map(sources.map(source => [source, new AbortController()]));
    this.#store = store;
    this.#fragments = options.fragments ?? new FragmentStore();
    this.#options = options;
    this.#renew();
  }

  async run(): Promise<void> {
    this.#report();
    const workers = [...this.#sources].flatMap(([source, { signal }]) =>
      Array.from({ length: PARALLEL }, (_, line) => this.#work(source, line, signal)),
    );
    await Promise.all(workers);
    if (this.#fatal) throw this.#fatal.error;
    if (this.#left > 0) throw this.#lastError ?? bundleError('object-missing', 'There is no source to fetch from.');
  }

  /** One line to one source, until nothing is left that it could give. */
  async #work(source: ObjectSource, line: number, stop: AbortSignal): Promise<void> {
    while (this.#left > 0 && !this.#fatal && this.#sources.has(source)) {
      const isUsed = line < this.#linesOf(source);
      const index = isUsed ? this.#wanted.findIndex(wanted => this.#mayFetch(source, wanted)) : -1;
      const wanted = this.#wanted[index];
      if (wanted) {
        this.#wanted.splice(index, 1);
        await this.#fetch(source, wanted, stop);
      } else if (this.#isHopeless()) return;
      else await this.#changed;
    }
    this.#signal();
  }

  #rankOf(source: ObjectSource): number {
    return this.#options.rankOf?.(source) ?? 0;
  }

  #linesOf(source: ObjectSource): number {
    const others = [...this.#sources.keys()].filter(other => this.#rankOf(other) === this.#rankOf(source));
    return Math.max(1, Math.floor(PARALLEL / others.length));
  }

  #mayFetch(source: ObjectSource, { refusedBy }: Wanted): boolean {
    if (refusedBy.has(source)) return false;
    const rank = this.#rankOf(source);
    return [...this.#sources.keys()].every(other => this.#rankOf(other) >= rank || refusedBy.has(other));
  }

  async #fetch(source: ObjectSource, wanted: Wanted, stop: AbortSignal): Promise<void> {
    const { name, size } = wanted.object;
    const { slowest } = this.#options;
    const failuresBefore = this.#failures.get(source) ?? 0;
    try {
      const { bytes, liars } = await fetchObject(source, name, size, { slowest, stop, fragments: this.#fragments });
      await this.#store.put(name, bytes);
      await this.#fragments.remove(name);
      for (const liar of liars) this.#drop(liar, bundleError('object-corrupt', `It sent a wrong part of ${name}.`));
    } catch (error) {
      this.#failed(source, wanted, error, failuresBefore);
      await sleep(PAUSE_MS * (this.#failures.get(source) ?? 0));
      return;
    }
    this.#failures.set(source, 0);
    this.#left--;
    this.fetchedBytes += size;
    this.bySource[source.name] = (this.bySource[source.name] ?? 0) + size;
    this.#report();
    this.#signal();
  }

  #failed(source: ObjectSource, wanted: Wanted, error: unknown, failuresBefore: number): void {
    this.#lastError = error;
    // First in turn: so there are never more unfinished objects than lines.
    this.#wanted.unshift(wanted);
    if (hasCode(error, 'disk-write')) {
      this.#fatal ??= { error }; // our own disk: no source can help
      for (const transfers of this.#sources.values()) transfers.abort(error);
    } else if (hasCode(error, 'object-missing')) {
      wanted.refusedBy.add(source);
    } else if (hasCode(error, 'object-corrupt', 'feed-too-large', 'answer-odd', ...REFUSALS)) {
      this.#drop(source, error);
    } else {
      // What breaks at the same time on all lines has failed once.
      const failures = Math.max(this.#failures.get(source) ?? 0, failuresBefore + 1);
      this.#failures.set(source, failures);
      // The last one that is left is given time: it may be the line that is slow.
      const isSlow = hasCode(error, 'source-slow') && this.#sources.size > 1;
      if (isSlow || failures >= FAILURES_ALLOWED) this.#drop(source, error);
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

async function isStored(store: BlobStore, { name, size }: WantedObject, verify: boolean): Promise<boolean> {
  if ((await store.size(name)) !== size) return false;
  if (!verify) return true;
  return store.get(name).then(
    () => true,
    () => false,
  );
}
