// Sealed objects: nothing but the very bytes that were sealed opens, and what was sealed to do harm does none.
import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import {
  openSealedIndex,
  openSealedManifest,
  openSegment,
  sealIndex,
  sealManifest,
  sealSegment,
} from '../../bundles/seal.ts';
import { sha256, sha256Hex } from '../../signing/index.ts';
import { fixedBytes } from '../support/release-tree.ts';
import { edited, edits } from './edits.ts';
import { accepted, fuzz } from './fuzz.ts';

const PRODUCT_KEY = sha256('product');
const PLAIN = Buffer.concat([Buffer.from('repeated '.repeat(40)), fixedBytes('segment', 300)]);
const MANIFEST = sealManifest(PRODUCT_KEY, PLAIN);

interface Kind {
  readonly magic: string;
  readonly code: string;
  readonly key: Buffer;
  readonly bytes: Buffer;
  open(name: string, bytes: Uint8Array, key?: Uint8Array): Buffer;
}

const { key: segmentKey, bytes: segmentBytes } = sealSegment(PRODUCT_KEY, PLAIN);
const KINDS = {
  segment: {
    magic: 'RLVRSEG1',
    code: 'segment-corrupt',
    key: segmentKey,
    bytes: segmentBytes,
    open: (name, bytes, key = segmentKey) => openSegment(name, key, bytes, PLAIN.length),
  },
  manifest: {
    magic: 'RLVRMAN1',
    code: 'manifest-corrupt',
    key: MANIFEST.key,
    bytes: MANIFEST.bytes,
    open: (name, bytes, key = MANIFEST.key) => openSealedManifest(name, key, bytes),
  },
  index: {
    magic: 'RLVRIDX1',
    code: 'manifest-corrupt',
    key: MANIFEST.key,
    bytes: sealIndex(MANIFEST.key, PLAIN).bytes,
    open: (name, bytes, key = MANIFEST.key) => openSealedIndex(name, key, bytes),
  },
} as const satisfies Readonly<Record<string, Kind>>;
const kind = fc.constantFrom('segment', 'manifest', 'index');

fuzz(
  'a damaged object opens neither under its old name nor under its own',
  900,
  fc.record({ kind, edits, renamed: fc.boolean() }),
  async ({ kind, edits: changes, renamed }) => {
    const { bytes, code, open } = KINDS[kind];
    const damaged = edited(bytes, changes);
    const name = sha256Hex(renamed ? damaged : bytes);
    const plain = await accepted(() => open(name, damaged), code);
    assert.equal(plain !== undefined, damaged.equals(bytes));
    if (plain) assert.deepEqual(plain, PLAIN);
  },
);

fuzz(
  'an object opens as what it was sealed as, and with its own key',
  150,
  fc.record({ sealed: kind, opened: kind, key: fc.option(fc.uint8Array({ minLength: 0, maxLength: 40 })) }),
  async ({ sealed, opened, key }) => {
    const { bytes, key: rightKey } = KINDS[sealed];
    const { code, open } = KINDS[opened];
    const plain = await accepted(() => open(sha256Hex(bytes), bytes, key ?? rightKey), code);
    assert.equal(plain !== undefined, sealed === opened && key === null);
  },
);

fuzz(
  'random bytes are no object',
  200,
  fc.record({ kind, magic: fc.boolean(), bytes: fc.uint8Array({ maxLength: 200 }) }),
  async ({ kind, magic: withMagic, bytes }) => {
    const { magic, code, open } = KINDS[kind];
    const object = Buffer.concat([Buffer.from(withMagic ? magic : ''), bytes]);
    assert.equal(await accepted(() => open(sha256Hex(object), object), code), undefined);
  },
);

/** What stands where one zstd frame should: written by somebody who has the key. */
const packed = fc.oneof(
  fc.record({ plain: fc.uint8Array({ maxLength: 1000 }), edits: fc.option(edits) }),
  fc.record({ zeros: fc.nat({ max: 40_000_000 }) }),
  fc.record({ random: fc.uint8Array({ maxLength: 200 }) }),
  fc.record({ frames: fc.array(fc.uint8Array({ maxLength: 100 }), { minLength: 2, maxLength: 3 }) }),
);
type Packed = typeof packed extends fc.Arbitrary<infer T> ? T : never;

fuzz(
  'whatever was sealed with the right key decompresses to exactly what its head says, or is refused',
  450,
  fc.record({ packed, lie: fc.option(fc.oneof(fc.integer({ min: -3, max: 3 }), fc.nat({ max: 0xffffffff }))) }),
  async ({ packed: choice, lie }) => {
    const { frame, plain } = frameOf(choice);
    const size = plain === undefined ? (lie ?? 0) >>> 0 : Math.max(0, plain.length + (lie ?? 0)) >>> 0;
    const promised = plain?.length ?? size;
    const object = sealedBy(segmentKey, 'RLVRSEG1', size, frame);
    const work = () => openSegment(sha256Hex(object), segmentKey, object, promised);
    const opened = await accepted(work, 'segment-corrupt');
    if (opened) assert.ok(opened.length === size && size <= 2 * 1024 * 1024);
    if (plain) assert.equal(opened !== undefined, plain.length === size && size <= 2 * 1024 * 1024);
    if ('frames' in choice) assert.equal(opened, undefined, 'one frame, and nothing behind it');
    if (plain && opened) assert.ok(opened.equals(plain));
  },
);

/** The bytes, and their content when they are one whole frame. */
function frameOf(choice: Packed): { readonly frame: Buffer; readonly plain?: Buffer } {
  if ('random' in choice) return { frame: Buffer.from(choice.random) };
  if ('frames' in choice) return { frame: Buffer.concat(choice.frames.map(bytes => zstdCompressSync(bytes))) };
  const plain = 'zeros' in choice ? Buffer.alloc(choice.zeros) : Buffer.from(choice.plain);
  const whole = zstdCompressSync(plain);
  if ('zeros' in choice || choice.edits === null) return { frame: whole, plain };
  const frame = edited(whole, choice.edits);
  return frame.equals(whole) ? { frame, plain } : { frame };
}

/** Seals anything at all, as FORMAT.md says. */
function sealedBy(key: Buffer, magic: string, size: number, frame: Buffer): Buffer {
  const head = Buffer.alloc(12, magic);
  head.writeUInt32BE(size, 8);
  const cipher = createCipheriv('aes-256-gcm', key, Buffer.alloc(12)).setAAD(head);
  return Buffer.concat([head, cipher.update(frame), cipher.final(), cipher.getAuthTag()]);
}
