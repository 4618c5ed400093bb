// Manifests, sealed with the right key so that they are really read: the product and a second reader, written from FORMAT.md
// alone, agree on each of them.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EntryList, encodeManifest, type Manifest } from '../../bundles/manifest.ts';
import { openManifest } from '../../bundles/open.ts';
import { sealManifest } from '../../bundles/seal.ts';
import { unpackPlan } from '../../bundles/unpack-plan.ts';
import { sha256 } from '../../signing/index.ts';
import { contentsOf } from '../support/manifest-contents.ts';
import { edited, edits } from './edits.ts';
import { accepted, fuzz } from './fuzz.ts';
import { generatedManifest, NO_SEGMENTS, written } from './generated-manifest.ts';
import { headEnd, isSafe, type OracleManifest, readManifest } from './oracle.ts';

const PRODUCT_KEY = sha256('product');
const VALID = sampleManifest();

fuzz(
  'a generated manifest is read as FORMAT.md says, and its paths are safe or refused',
  2000,
  generatedManifest,
  choice => agree(written(choice, NO_SEGMENTS)),
);

fuzz('a valid manifest that was damaged before it was sealed is read as FORMAT.md says', 1500, edits, changes =>
  agree(edited(VALID, changes)),
);

fuzz(
  'a generated manifest that was damaged too is read as FORMAT.md says',
  500,
  fc.record({ generatedManifest, edits }),
  ({ generatedManifest: choice, edits: changes }) => agree(edited(written(choice, NO_SEGMENTS), changes)),
);

const head = fc.oneof(
  fc.record({
    product: fc.string({ maxLength: 70 }),
    version: fc.string({ maxLength: 130 }),
    segments: fc.oneof(fc.constantFrom(0, -0, 1, 4_000_000, 4_000_001), fc.double()),
    chunks: fc.oneof(fc.constantFrom(0, 1, 16_000_000, 16_000_001), fc.double()),
    components: fc.array(
      fc.record({ name: fc.string(), rootfs: fc.boolean(), entries: fc.nat() }, { requiredKeys: [] }),
    ),
  }),
  fc.jsonValue({ maxDepth: 2 }),
);

fuzz(
  'a head of any JSON, and random bytes behind it',
  300,
  fc.record({
    head: fc.oneof(
      head.map(value => JSON.stringify(value)),
      fc.string(),
    ),
    bytes: fc.uint8Array({ maxLength: 300 }),
  }),
  ({ head: text, bytes }) => {
    const encoded = Buffer.from(text);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(encoded.length);
    return agree(Buffer.concat([Buffer.from('RLVRTREE'), length, encoded, bytes]));
  },
);

/** The product and the oracle say the same of it; and what was read is written as the same bytes again. */
async function agree(plain: Buffer): Promise<void> {
  const { name, key, bytes } = sealManifest(PRODUCT_KEY, plain);
  const manifest = await accepted(() => openManifest(name, key, bytes), 'manifest-corrupt');
  const expected = readManifest(plain);
  assert.deepEqual(manifest && contentsOf(manifest, 'latin1'), expected);
  if (!manifest || !expected) return;
  const again = encoded(manifest);
  assert.ok(again.subarray(headEnd(again)).equals(plain.subarray(headEnd(plain))), 'the same bytes again');
  const plan = await accepted(() => unpackPlan(manifest), 'path-unsafe');
  assert.equal(plan !== undefined, expected.components.every(isSafe), 'safe paths');
  if (plan) requireAllWritten(expected, plan);
}

/** What a plan writes is every byte of every file, once, from where the manifest says. */
function requireAllWritten({ components, segments }: OracleManifest, plan: ReturnType<typeof unpackPlan>): void {
  const expected = new Map<string, string[]>();
  for (const { name, entries } of components) {
    for (const { path, chunks = [] } of entries) {
      let at = 0;
      for (const [segment, offset, length] of chunks) {
        const list = expected.get(`${name}/${path}`) ?? [];
        for (let i = 0; i < length; i++) list[at++] = `${segment}:${offset + i}`;
        expected.set(`${name}/${path}`, list);
      }
    }
  }
  const written = new Map<string, string[]>();
  for (const segment of segments.keys()) {
    const pathOf = ({ component, entry }: { component: string; entry: { path: Buffer } }) =>
      Buffer.concat([Buffer.from(`${component}/`), entry.path]);
    for (const { path, pieces } of plan.writesOf(segment, pathOf, false)) {
      const list = written.get(Buffer.from(path).toString('latin1')) ?? [];
      for (let i = 0; i < pieces.length; i += 3) {
        const [at, from, length] = pieces.slice(i, i + 3) as [number, number, number];
        for (let n = 0; n < length; n++) {
          assert.equal(list[at + n], undefined, 'no byte is written twice');
          list[at + n] = `${segment}:${from + n}`;
        }
      }
      written.set(Buffer.from(path).toString('latin1'), list);
    }
  }
  assert.deepEqual(written, expected);
}

function encoded({ product, version, segments, chunks, components }: Manifest): Buffer {
  return encodeManifest({
    product,
    version,
    segments: [...segments],
    chunks,
    components: components.map(({ name, rootfs, entries }) => {
      const list = new EntryList();
      for (const entry of entries) list.add(entry);
      return { name, rootfs, entries: list };
    }),
  });
}

/** One with entries of every type, so that damage meets each field. */
function sampleManifest(): Buffer {
  const entry = {
    parent: 0,
    anyParent: false,
    mode: 0o644,
    mtime: 1_767_225_600,
    sparse: false,
    xattrs: [],
    chunks: [],
    target: 'bin/tool',
    linked: 1,
  };
  const component = {
    name: 'services',
    rootfs: false,
    entries: [
      { ...entry, type: 'directory' as const, name: 'bin' },
      {
        ...entry,
        type: 'file' as const,
        name: 'tool',
        parent: 1,
        sparse: true,
        xattrs: [['user.note', Uint8Array.of(0, 255)]] as [string, Uint8Array][],
        chunks: [
          [0, 0, 10],
          [1, 5, 20],
          [0, 0, 10],
        ] as [number, number, number][],
      },
      { ...entry, type: 'hardlink' as const, name: 'tool2' },
      { ...entry, type: 'symlink' as const, name: 'tool3' },
      { ...entry, type: 'file' as const, name: 'empty' },
    ],
  };
  return written({ components: [component, { name: 'rootfs', rootfs: true, entries: [] }], fault: null }, NO_SEGMENTS);
}
