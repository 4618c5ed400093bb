// What lies between two releases: what would travel to a site that has one and takes the other, and which files changed. Pure.
import type { Entry, Manifest } from './manifest.ts';

export interface ReleaseDiff {
  /** Segments of the second release that the first does not have, and their bytes as stored. */
  readonly newSegments: number;
  readonly newBytes: number;
  readonly sharedSegments: number;
  readonly sharedBytes: number;
  readonly files: readonly FileChange[];
}

export interface FileChange {
  readonly component: string;
  /** Bytes as latin1 where they are not UTF-8. */
  readonly path: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** Size afterwards; before, for a removed one. Bytes. */
  readonly size: number;
}

/** A release with the digests of its chunks, 32 bytes each. */
export interface DiffSide {
  readonly manifest: Manifest;
  readonly digests: Buffer;
}

/** From `before` to `after`. */
export function diffReleases(before: DiffSide, after: DiffSide): ReleaseDiff {
  const known = new Set(Array.from(before.manifest.segments, segment => segment.name));
  const counts = { newSegments: 0, newBytes: 0, sharedSegments: 0, sharedBytes: 0 };
  for (const { name, sealedSize } of after.manifest.segments) {
    const shared = known.has(name);
    counts[shared ? 'sharedSegments' : 'newSegments']++;
    counts[shared ? 'sharedBytes' : 'newBytes'] += sealedSize;
  }
  return { ...counts, files: [...changedFiles(before, after)] };
}

function* changedFiles(before: DiffSide, after: DiffSide): Generator<FileChange> {
  const old = new Map<string, { readonly print: string; readonly size: number }>();
  for (const { key, entry } of entriesOf(before))
    old.set(key, { print: fingerprint(entry, before), size: sizeOf(entry) });
  for (const { key, component, path, entry } of entriesOf(after)) {
    const known = old.get(key);
    old.delete(key);
    const size = sizeOf(entry);
    if (!known) yield { component, path, change: 'added', size };
    else if (known.print !== fingerprint(entry, after)) yield { component, path, change: 'changed', size };
  }
  for (const [key, { size }] of old) {
    const [component = '', path = ''] = key.split('\0');
    yield { component, path, change: 'removed', size };
  }
}

function* entriesOf({ manifest }: DiffSide) {
  for (const { name: component, entries } of manifest.components) {
    for (const entry of entries) {
      const utf8 = entry.path.toString('utf8');
      const path = Buffer.from(utf8, 'utf8').equals(entry.path) ? utf8 : entry.path.toString('latin1');
      yield { key: `${component}\0${path}`, component, path, entry };
    }
  }
}

/** Everything that makes an entry what it is, but for its time. */
function fingerprint(entry: Entry, { digests }: DiffSide): string {
  const owner = `${entry.type} ${entry.mode} ${entry.uid} ${entry.gid}`;
  if (entry.type === 'directory') return owner;
  if (entry.type !== 'file') return `${owner} ${entry.target.toString('latin1')}`;
  const { firstChunk, chunkCount } = entry;
  return `${owner} ${digests.toString('latin1', firstChunk * 32, (firstChunk + chunkCount) * 32)}`;
}

function sizeOf(entry: Entry): number {
  return entry.type === 'file' ? entry.size : 0;
}
