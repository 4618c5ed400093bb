// A manifest with every kind of entry: what the vectors of manifests and of paths make one thing wrong in, and what a reader
// finds in it, written out by hand.
import { type Chunk, type Entry, EntryList, encodeManifest, table } from '../../../bundles/manifest.ts';
import { sha256, sha256Hex } from '../../../signing/index.ts';

const OWNED = { uid: 0, gid: 0, mtime: 1_767_225_600 };
const COMMON = { ...OWNED, mode: 0o644, xattrs: [] };

const CHUNKS = [chunk(0, 0, 10), chunk(1, 5, 20), chunk(0, 0, 10)];

const ENTRIES: readonly Entry[] = [
  { ...COMMON, type: 'directory', path: Buffer.from('bin'), mode: 0o755 },
  {
    ...COMMON,
    type: 'file',
    path: Buffer.from('bin/tool'),
    mode: 0o4755,
    xattrs: [{ name: 'user.note', value: Buffer.from([0, 255]) }],
    size: 30,
    firstChunk: 0,
    chunkCount: 2,
    sparse: false,
  },
  { ...COMMON, type: 'hardlink', path: Buffer.from('bin/tool2'), target: Buffer.from('bin/tool') },
  { ...COMMON, type: 'symlink', path: Buffer.from('bin/tool3'), target: Buffer.from('../bin/tool') },
  { ...COMMON, type: 'file', path: Buffer.from('empty'), size: 0, firstChunk: 2, chunkCount: 0, sparse: false },
  {
    ...COMMON,
    type: 'file',
    path: Buffer.from([0x6e, 0xff, 0xfe]),
    mtime: -1,
    size: 10,
    firstChunk: 2,
    chunkCount: 1,
    sparse: true,
  },
];

/** What a reader finds in the sample, as vectors write it. */
export const SAMPLE = {
  product: 'cloud',
  version: '5.2.0',
  segments: [0, 1].map(n => ({ ...segment(n), key: segment(n).key.toString('hex') })),
  components: [
    {
      name: 'services',
      rootfs: false,
      entries: [
        { type: 'directory', path: 'Ymlu', mode: 0o755, ...OWNED },
        {
          type: 'file',
          path: 'YmluL3Rvb2w=',
          mode: 0o4755,
          ...OWNED,
          xattrs: [{ name: 'user.note', value: 'AP8=' }],
          size: 30,
          chunks: [
            [0, 0, 10],
            [1, 5, 20],
          ],
        },
        { type: 'hardlink', path: 'YmluL3Rvb2wy', mode: 0o644, ...OWNED, target: 'YmluL3Rvb2w=' },
        { type: 'symlink', path: 'YmluL3Rvb2wz', mode: 0o644, ...OWNED, target: 'Li4vYmluL3Rvb2w=' },
        { type: 'file', path: 'ZW1wdHk=', mode: 0o644, ...OWNED, size: 0, chunks: [] },
        { type: 'file', path: 'bv/+', mode: 0o644, ...OWNED, mtime: -1, sparse: true, size: 10, chunks: [[0, 0, 10]] },
      ],
    },
  ],
};

/** The sample as bytes, with other chunks, or with more entries behind its own. */
export function sampleManifest({ chunks = CHUNKS, more = [] }: SampleChange = {}): Buffer {
  const entries = new EntryList();
  for (const entry of [...ENTRIES, ...more]) entries.add(entry);
  return encodeManifest({
    product: 'cloud',
    version: '5.2.0',
    components: [{ name: 'services', rootfs: false, entries }],
    segments: [segment(0), segment(1)],
    chunks: table(chunks.length, index => chunks[index] as Chunk),
  });
}

interface SampleChange {
  readonly chunks?: readonly Chunk[];
  readonly more?: readonly Entry[];
}

export function chunk(segment: number, offset: number, length: number): Chunk {
  return { segment, offset, length };
}

function segment(n: number) {
  return { name: sha256Hex(`segment ${n}`), key: sha256(`key ${n}`), sealedSize: 100 + n, plainSize: 25 };
}
