// Manifests that nobody would pack: made of few names, so that they collide, and with one fault now and then. Written byte by
// byte, because the product's own writer refuses most faults.
import fc from 'fast-check';
import { sha256, sha256Hex } from '../../signing/index.ts';

const TYPE = { directory: 0, file: 1, symlink: 2, hardlink: 3 } as const;

/** Without the usual bias towards the first ones: nearly everything would collide. */
const goodName = fc.noBias(fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz', 'a b', '\xff', '\n', 'ä'));
const anyName: fc.Arbitrary<string> = fc.oneof(
  { weight: 150, arbitrary: goodName },
  { weight: 1, arbitrary: fc.constantFrom('', '.', '..', 'a\0', '\0', '...', '\\', '~', '__proto__') },
);
const targetPart: fc.Arbitrary<string> = fc.oneof(
  { weight: 12, arbitrary: goodName },
  { weight: 3, arbitrary: fc.constant('..') },
  { weight: 1, arbitrary: fc.constantFrom('', '.', '/') },
);

const entry = fc.record({
  type: fc.constantFrom(
    'directory' as const,
    'directory' as const,
    'file' as const,
    'symlink' as const,
    'hardlink' as const,
  ),
  /** Which of the earlier directories it lies in; and, seldom, which of the earlier entries of any type. */
  parent: fc.noBias(fc.nat({ max: 40 })),
  anyParent: fc.boolean().chain(odd => (odd ? fc.boolean() : fc.constant(false))),
  name: anyName,
  mode: fc.oneof(fc.constantFrom(0o644, 0o755, 0o4755, 0, 0o7777), fc.nat({ max: 0o7777 })),
  mtime: fc.oneof(fc.nat({ max: 2 ** 31 }), fc.constantFrom(-1, -86_400, 2 ** 33)),
  sparse: fc.boolean(),
  xattrs: fc.oneof(
    { weight: 6, arbitrary: fc.constant<[string, Uint8Array][]>([]) },
    {
      weight: 1,
      arbitrary: fc.array(
        fc.tuple(fc.string({ maxLength: 9 }), fc.uint8Array({ maxLength: 9 }) as fc.Arbitrary<Uint8Array>),
        { maxLength: 3 },
      ),
    },
  ),
  chunks: fc.array(fc.tuple(fc.nat({ max: 2 }), fc.nat({ max: 900 }), fc.integer({ min: 1, max: 100 })), {
    maxLength: 4,
  }),
  target: fc.array(targetPart, { minLength: 1, maxLength: 6 }).map(parts => parts.join('/')),
  /** Which of the earlier files a hard link names; 0 for none of them. */
  linked: fc.noBias(fc.nat({ max: 40 })),
});
type EntryChoice = typeof entry extends fc.Arbitrary<infer T> ? T : never;

const component = fc.record({
  name: fc.oneof(
    { weight: 30, arbitrary: fc.noBias(fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789', 'z-1')) },
    { weight: 1, arbitrary: fc.string({ maxLength: 5 }) },
  ),
  rootfs: fc.boolean(),
  entries: fc.array(entry, { maxLength: 14, size: 'max' }),
});

/** What is wrong in one place, if anything. `by` is added to a number. */
const fault = fc.oneof(
  { weight: 3, arbitrary: fc.constant(null) },
  {
    weight: 1,
    arbitrary: fc.record({
      at: fc.constantFrom(
        'entries',
        'segments',
        'chunks',
        'size',
        'chunkCount',
        'flags',
        'type',
        'mode',
        'xattrs',
        'utf8',
        'tail',
      ),
      by: fc.constantFrom(-1, 1, 2, 255, 65_536, 2 ** 31),
      entry: fc.nat({ max: 20 }),
    }),
  },
);
type Fault = typeof fault extends fc.Arbitrary<infer T> ? T : never;

export const generatedManifest = fc.record({ components: fc.array(component, { maxLength: 3 }), fault });
export type ManifestChoice = typeof generatedManifest extends fc.Arbitrary<infer T> ? T : never;

export interface SegmentRecord {
  readonly name: string;
  readonly key: Uint8Array;
  readonly sealedSize: number;
  readonly plainSize: number;
}

/** Three segments that are nowhere. */
export const NO_SEGMENTS: readonly SegmentRecord[] = [0, 1, 2].map(n => ({
  name: sha256Hex(`segment ${n}`),
  key: sha256(`key ${n}`),
  sealedSize: 1000,
  plainSize: 1000,
}));

/** The plaintext of the manifest. */
export function written({ components, fault }: ManifestChoice, segments: readonly SegmentRecord[]): Buffer {
  const chunks: Buffer[] = [];
  let number = 0;
  const bodies = components.map(({ entries }) => {
    const known: Known = { all: [''], directories: [''], files: [] };
    return entries.map(choice => writtenEntry(choice, known, chunks, fault?.entry === number++ ? fault : null));
  });
  const off = (at: string) => (fault?.at === at ? fault.by : 0);
  const head = Buffer.from(
    JSON.stringify({
      product: 'cloud',
      version: '1.0.0',
      segments: segments.length + off('segments'),
      chunks: chunks.length + off('chunks'),
      components: components.map(({ name, rootfs, entries }) => ({
        name,
        rootfs,
        entries: entries.length + off('entries'),
      })),
    }),
  );
  const records = segments.map(({ name, key, sealedSize, plainSize }) =>
    Buffer.concat([Buffer.from(name, 'hex'), key, uint(sealedSize, 4), uint(plainSize, 4)]),
  );
  const tail = Buffer.alloc(off('tail') & 0xff);
  return Buffer.concat([
    Buffer.from('RLVRTREE'),
    uint(head.length, 4),
    head,
    ...records,
    ...chunks,
    ...bodies.flat(),
    tail,
  ]);
}

interface Known {
  readonly all: string[];
  readonly directories: string[];
  readonly files: string[];
}

function writtenEntry(choice: EntryChoice, known: Known, chunks: Buffer[], fault: Fault): Buffer {
  const off = (at: string) => (fault?.at === at ? fault.by : 0);
  const type = choice.type === 'hardlink' && known.files.length === 0 ? 'directory' : choice.type;
  const parents = choice.anyParent ? known.all : known.directories;
  const parent = parents[choice.parent % parents.length] as string;
  const path = parent === '' ? choice.name : `${parent}/${choice.name}`;
  known.all.push(path);
  if (type === 'directory') known.directories.push(path);
  if (type === 'file') known.files.push(path);
  const flags = (type === 'file' && choice.sparse ? 1 : 0) | (choice.xattrs.length > 0 ? 2 : 0);
  return Buffer.concat([
    uint(TYPE[type] + off('type'), 1),
    uint(flags + off('flags'), 1),
    uint(choice.mode + off('mode'), 2),
    uint(0, 4),
    uint(0, 4),
    int64(choice.mtime),
    uint(path.length, 2),
    Buffer.from(path, 'latin1'),
    ...(choice.xattrs.length > 0 ? [uint(choice.xattrs.length + off('xattrs'), 2)] : []),
    ...choice.xattrs.flatMap(([name, value]) => {
      const bytes = off('utf8') ? Buffer.from([0xc3, 0x28]) : Buffer.from(name);
      return [uint(bytes.length, 1), bytes, uint(value.length, 4), value];
    }),
    ...rest(type, choice, known.files, chunks, off),
  ]);
}

function rest(
  type: EntryChoice['type'],
  choice: EntryChoice,
  files: readonly string[],
  chunks: Buffer[],
  off: (at: string) => number,
): readonly Uint8Array[] {
  switch (type) {
    case 'directory':
      return [];
    case 'file': {
      for (const place of choice.chunks) chunks.push(Buffer.concat(place.map(number => uint(number, 4))));
      const size = choice.chunks.reduce((sum, [, , length]) => sum + length, 0);
      return [int64(size + off('size')), uint(choice.chunks.length + off('chunkCount'), 4)];
    }
    case 'symlink':
      return linkTarget(choice.target);
    case 'hardlink':
      return linkTarget(choice.linked === 0 ? choice.target : (files[choice.linked % files.length] as string));
  }
}

function linkTarget(target: string): readonly Uint8Array[] {
  return [uint(target.length, 2), Buffer.from(target, 'latin1')];
}

/** What does not fit loses its upper bits. */
function uint(value: number, length: 1 | 2 | 4): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes.subarray(8 - length);
}

function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}
