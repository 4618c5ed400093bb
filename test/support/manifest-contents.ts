// What a decoded manifest holds, as plain values: two of them compare with one assertion.
import type { Chunk, Entry, Manifest, Table } from '../../bundles/manifest.ts';

/** Bytes become text of this encoding, but for keys, which are hexadecimal. */
export type Encoding = 'latin1' | 'base64';

export function contentsOf({ product, version, segments, chunks, components }: Manifest, encoding: Encoding) {
  return {
    product,
    version,
    segments: Array.from(segments, segment => ({ ...segment, key: segment.key.toString('hex') })),
    components: components.map(({ name, rootfs, entries }) => ({
      name,
      rootfs,
      entries: Array.from(entries, entry => contentsOfEntry(entry, chunks, encoding)),
    })),
  };
}

function contentsOfEntry(entry: Entry, chunks: Table<Chunk>, encoding: Encoding) {
  const { type, mode, uid, gid, mtime } = entry;
  const path = entry.path.toString(encoding);
  const xattrs = entry.xattrs.map(({ name, value }) => ({ name, value: value.toString(encoding) }));
  const common = { type, sparse: false, mode, uid, gid, mtime, path, xattrs };
  if (entry.type === 'directory') return common;
  if (entry.type !== 'file') return { ...common, target: entry.target.toString(encoding) };
  const places = Array.from({ length: entry.chunkCount }, (_, i) => {
    const { segment, offset, length } = chunks.at(entry.firstChunk + i);
    return [segment, offset, length] as const;
  });
  return { ...common, sparse: entry.sparse, size: entry.size, chunks: places };
}
