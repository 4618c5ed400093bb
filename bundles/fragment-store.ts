// Keeps what has arrived of objects that are not whole yet: in memory from one source to the next, and in a folder from one run to
// the next. A fragment is never believed: the object that it becomes is verified by its name. Losing one costs only time, so a
// folder that cannot be written to is no failure here.
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isSha256Hex, readBounded } from '../signing/index.ts';
import { Fragment } from './fragment.ts';

/** More than are ever under way at once. */
const MOST_FRAGMENTS = 64;
/** What the folder may hold in all; a fragment that is larger by itself is kept in memory only. */
const MOST_BYTES = 256 * 1024 * 1024;
/** Nobody asks for the rest of an object after so long: the release has been superseded. */
const STALE_MS = 7 * 24 * 3600_000;
/** What a kill may cost is what a line brings in this time. An object that arrives faster never touches the folder. */
const SAVE_EVERY_MS = 1000;

export class FragmentStore {
  readonly #directory: string | undefined;
  /** Least recently used first. */
  readonly #fragments = new Map<string, Fragment>();
  /** Sizes of the files in the folder, oldest first; undefined before the first look. */
  #files: Map<string, number> | undefined;
  /** Writes are done one after the other. */
  #writing: Promise<void> = Promise.resolve();

  /** @param directory created when needed; without one, fragments live as long as this object */
  constructor(directory?: string) {
    this.#directory = directory;
  }

  /** The fragment of an object, empty where nothing is known of it. */
  async open(digest: string, size: number): Promise<Fragment> {
    const known = this.#fragments.get(digest);
    this.#fragments.delete(digest);
    const fragment = known?.size === size ? known : new Fragment(digest, size, await this.#read(digest, size));
    this.#fragments.set(digest, fragment);
    for (const oldest of this.#fragments.keys()) {
      if (this.#fragments.size <= MOST_FRAGMENTS) break;
      this.#fragments.delete(oldest);
    }
    return fragment;
  }

  /** Saves what arrives now and then. Returns how to stop. */
  saveOften(fragment: Fragment): () => void {
    if (this.#directory === undefined) return () => undefined;
    const timer = setInterval(() => this.save(fragment), SAVE_EVERY_MS);
    return () => clearInterval(timer);
  }

  async save(fragment: Fragment): Promise<void> {
    await this.#inTurn(async directory => {
      const { digest, bytes } = fragment;
      const unsaved = fragment.takeUnsaved();
      if (bytes.length === 0 || bytes.length > MOST_BYTES) return this.#removeFile(digest);
      await mkdir(directory, { recursive: true });
      await this.#makeRoom(digest, bytes.length);
      const isKnown = this.#files?.delete(digest) ?? false;
      this.#files?.set(digest, bytes.length);
      try {
        // What was removed to make room for others is written from its beginning.
        await writeEnd(join(directory, digest), isKnown ? unsaved : { at: 0, bytes });
      } catch {
        await this.#removeFile(digest);
      }
    });
  }

  /** The object is whole and stored: nothing of it is needed any more. */
  async remove(digest: string): Promise<void> {
    this.#fragments.delete(digest);
    await this.#inTurn(() => this.#removeFile(digest));
  }

  async #read(digest: string, size: number): Promise<Uint8Array | undefined> {
    let bytes: Buffer | undefined;
    await this.#inTurn(async directory => {
      if (this.#files?.has(digest)) bytes = await readBounded(join(directory, digest), size);
    });
    return bytes;
  }

  async #inTurn(work: (directory: string) => Promise<void>): Promise<void> {
    const directory = this.#directory;
    if (directory === undefined) return;
    this.#writing = this.#writing.then(async () => {
      this.#files ??= await filesIn(directory);
      await work(directory);
    });
    // What cannot be kept is fetched again.
    this.#writing = this.#writing.catch(() => undefined);
    await this.#writing;
  }

  async #makeRoom(digest: string, bytes: number): Promise<void> {
    const others = [...(this.#files ?? [])].filter(([name]) => name !== digest);
    let total = others.reduce((sum, [, size]) => sum + size, bytes);
    let count = others.length + 1;
    for (const [name, size] of others) {
      if (total <= MOST_BYTES && count <= MOST_FRAGMENTS) return;
      await this.#removeFile(name);
      total -= size;
      count--;
    }
  }

  async #removeFile(digest: string): Promise<void> {
    if (!this.#files?.delete(digest)) return;
    await rm(join(this.#directory as string, digest), { force: true });
  }
}

/** Replaces everything from `at` on. */
async function writeEnd(path: string, { at, bytes }: { readonly at: number; readonly bytes: Buffer }): Promise<void> {
  const file = await open(path, at === 0 ? 'w' : 'r+');
  try {
    const { bytesWritten } = await file.write(bytes, 0, bytes.length, at);
    if (bytesWritten < bytes.length) throw new Error('the disk is full');
    await file.truncate(at + bytes.length);
  } finally {
    await file.close();
  }
}

/** Sizes of what an earlier run has left, oldest first. What is stale is removed. */
async function filesIn(directory: string): Promise<Map<string, number>> {
  const found: { readonly name: string; readonly size: number; readonly changedMs: number }[] = [];
  for (const name of await readdir(directory).catch(() => [])) {
    const stats = isSha256Hex(name) ? await stat(join(directory, name)).catch(() => undefined) : undefined;
    if (!stats?.isFile()) continue;
    if (Date.now() - stats.mtimeMs > STALE_MS) await rm(join(directory, name), { force: true });
    else found.push({ name, size: stats.size, changedMs: stats.mtimeMs });
  }
  found.sort((a, b) => a.changedMs - b.changedMs);
  return new Map(found.map(({ name, size }) => [name, size]));
}
