// What has to be written where, turned around: a manifest lists the chunks of each file, a plan lists for each segment the
// pieces it brings. Each segment is then opened once, in any order, by any thread. Pure.
import { bundleError } from './errors.ts';
import { findEscapingLink } from './links.ts';
import type { DirectoryEntry, FileEntry, LinkEntry, Manifest, ManifestComponent } from './manifest.ts';
import type { FileWrite } from './workers/jobs.ts';

/** An entry with the component it belongs to. */
export interface Placed<T> {
  readonly component: string;
  readonly entry: T;
}

export interface UnpackPlan {
  readonly directories: readonly Placed<DirectoryEntry>[];
  readonly files: readonly Placed<FileEntry>[];
  readonly links: readonly Placed<LinkEntry>[];
  /** Whether all of a file's chunks lie in one segment: then it is written in one go. */
  isWhole(file: FileEntry): boolean;
  /** What segment number `segment` brings. `pathOf` says where a file is written. */
  writesOf(segment: number, pathOf: (file: Placed<FileEntry>) => Buffer, owners: boolean): readonly FileWrite[];
}

/**
 * Checks every path and turns the manifest around.
 *
 * @throws `path-unsafe`
 */
export function unpackPlan(manifest: Manifest): UnpackPlan {
  const directories: Placed<DirectoryEntry>[] = [];
  const files: Placed<FileEntry>[] = [];
  const links: Placed<LinkEntry>[] = [];
  for (const component of manifest.components) {
    for (const entry of checkedEntries(component)) {
      const placed = { component: component.name, entry };
      if (entry.type === 'directory') directories.push(placed as Placed<DirectoryEntry>);
      else if (entry.type === 'file') files.push(placed as Placed<FileEntry>);
      else links.push(placed as Placed<LinkEntry>);
    }
  }
  const occurrences = new Occurrences(manifest, files);
  return {
    directories,
    files,
    links,
    isWhole: file => occurrences.isWhole(file),
    writesOf: (segment, pathOf, owners) => occurrences.writesOf(segment, pathOf, owners),
  };
}

/** Every use of a chunk: by which file, at which offset; grouped by segment. Typed arrays: there may be a million. */
class Occurrences {
  readonly #manifest: Manifest;
  readonly #files: readonly Placed<FileEntry>[];
  readonly #fileOf: Uint32Array;
  readonly #offsetOf: Float64Array;
  /** Chunk numbers ordered by segment, and where each segment's begin. */
  readonly #order: Uint32Array;
  readonly #starts: Uint32Array;

  constructor(manifest: Manifest, files: readonly Placed<FileEntry>[]) {
    const { chunks, segments } = manifest;
    this.#manifest = manifest;
    this.#files = files;
    this.#fileOf = new Uint32Array(chunks.length);
    this.#offsetOf = new Float64Array(chunks.length);
    files.forEach(({ entry }, file) => {
      let offset = 0;
      for (let chunk = entry.firstChunk; chunk < entry.firstChunk + entry.chunkCount; chunk++) {
        this.#fileOf[chunk] = file;
        this.#offsetOf[chunk] = offset;
        offset += chunks.at(chunk).length;
      }
    });
    this.#starts = new Uint32Array(segments.length + 1);
    for (const { segment } of chunks) (this.#starts[segment + 1] as number)++;
    for (let i = 0; i < segments.length; i++) (this.#starts[i + 1] as number) += this.#starts[i] as number;
    const next = this.#starts.slice();
    this.#order = new Uint32Array(chunks.length);
    let number = 0;
    for (const { segment } of chunks) this.#order[(next[segment] as number)++] = number++;
  }

  isWhole({ firstChunk, chunkCount }: FileEntry): boolean {
    if (chunkCount === 0) return false;
    const { segment } = this.#manifest.chunks.at(firstChunk);
    for (let i = 1; i < chunkCount; i++) if (this.#manifest.chunks.at(firstChunk + i).segment !== segment) return false;
    return true;
  }

  writesOf(segment: number, pathOf: (file: Placed<FileEntry>) => Buffer, owners: boolean): readonly FileWrite[] {
    const writes: (FileWrite & { pieces: number[] })[] = [];
    let current = -1;
    for (let i = this.#starts[segment] as number; i < (this.#starts[segment + 1] as number); i++) {
      const number = this.#order[i] as number;
      const file = this.#fileOf[number] as number;
      if (file !== current) writes.push({ ...this.#write(file, pathOf, owners), pieces: [] });
      current = file;
      const { offset, length } = this.#manifest.chunks.at(number);
      append(writes.at(-1)?.pieces as number[], this.#offsetOf[number] as number, offset, length);
    }
    return writes;
  }

  #write(file: number, pathOf: (file: Placed<FileEntry>) => Buffer, owners: boolean): Omit<FileWrite, 'pieces'> {
    const placed = this.#files[file] as Placed<FileEntry>;
    const { size, sparse, mode, mtime, uid, gid } = placed.entry;
    const path = new Uint8Array(pathOf(placed)); // bytes of its own: a view would be sent with all that it is a view of
    if (!this.isWhole(placed.entry)) return { path, size, sparse };
    return { path, size, sparse, finish: { mode, mtime, ...(owners ? { owner: [uid, gid] as const } : {}) } };
  }
}

/** Neighbors in both the file and the segment become one piece. */
function append(pieces: number[], at: number, from: number, length: number): void {
  const n = pieces.length;
  const [lastAt, lastFrom, lastLength] = pieces.slice(n - 3) as [number?, number?, number?];
  const adjoins =
    lastAt !== undefined && lastAt + (lastLength ?? 0) === at && (lastFrom ?? 0) + (lastLength ?? 0) === from;
  if (adjoins) pieces[n - 1] = (lastLength ?? 0) + length;
  else pieces.push(at, from, length);
}

/** Each path is relative, stays inside, is new, and lies in a directory of this component, never behind a link. */
function* checkedEntries(component: ManifestComponent): Generator<DirectoryEntry | FileEntry | LinkEntry> {
  const kinds = new Map<string, string>([['', 'directory']]);
  const symlinks = new Map<string, string>();
  for (const entry of component.entries) {
    const path = entry.path.toString('latin1');
    const parts = path.split('/');
    const parent = parts.slice(0, -1).join('/');
    const unsafe =
      parts.some(part => part === '' || part === '.' || part === '..' || part.includes('\0')) ||
      kinds.has(path) ||
      kinds.get(parent) !== 'directory' ||
      (entry.type === 'symlink' && (entry.target.length === 0 || entry.target.includes(0))) ||
      (entry.type === 'hardlink' && kinds.get(entry.target.toString('latin1')) !== 'file');
    if (unsafe) throw unsafePath(component, path);
    kinds.set(path, entry.type);
    if (entry.type === 'symlink') symlinks.set(path, entry.target.toString('latin1'));
    yield entry;
  }
  const escaping = component.rootfs ? undefined : findEscapingLink(symlinks);
  if (escaping !== undefined) throw unsafePath(component, escaping);
}

function unsafePath({ name }: ManifestComponent, path: string): Error {
  return bundleError('path-unsafe', `The release carries the unsafe path ${name}/${path}.`);
}
