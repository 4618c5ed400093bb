// Manifests that open and decode, and manifests with one fault: in the seal, the head, a chunk or an entry.
import type { Chunk, Entry } from '../../../bundles/manifest.ts';
import { sealManifest, sealSegment } from '../../../bundles/seal.ts';
import { sha256, sha256Hex } from '../../../signing/index.ts';
import { flipped } from '../../support/damage.ts';
import type { Vector } from '../../support/vectors.ts';
import { openManifest, openSegment, PRODUCT_KEY, type Vectors } from './operations.ts';
import { chunk, SAMPLE, sampleManifest } from './sample-manifest.ts';

const PLAIN = sampleManifest();
/** The head begins behind the magic and its own length. */
const HEAD_START = 12;
const HEAD_END = HEAD_START + PLAIN.readUInt32BE(8);
/** Type, flags, mode, owner, group, time and the length of the path come before the path. */
const FIRST_ENTRY = PLAIN.indexOf(Buffer.from('bin')) - 22;

export function manifests(): Vectors {
  return { ...seals(), ...heads(), ...chunkTables(), ...entries() };
}

function seals(): Vectors {
  const good = openManifest(sealManifest(PRODUCT_KEY, PLAIN));
  const { plainSize: _, ...segment } = openSegment(sealSegment(PRODUCT_KEY, PLAIN), PLAIN.length);
  const bad = (what: string, change: object): Vector => ({ what, ...good, ...change, error: 'manifest-corrupt' });
  return {
    'manifest-good': { what: 'a manifest with every kind of entry', ...good, manifest: SAMPLE },
    'manifest-bad-name': bad('the object is another one than release.json says', { name: sha256Hex('x') }),
    'manifest-bad-key': bad('the content key of another release', { key: sha256('x').toString('hex') }),
    'manifest-bad-kind': bad('a segment in the place of a manifest', { ...segment, operation: good.operation }),
    'manifest-bad-tree-magic': corrupt('the plaintext does not begin as a manifest', flipped(PLAIN, 0)),
    'manifest-bad-cut': corrupt('the last byte is missing', PLAIN.subarray(0, -1)),
    'manifest-bad-longer': corrupt('a byte follows the last entry', Buffer.concat([PLAIN, Buffer.from([0])])),
  };
}

function heads(): Vectors {
  const head = JSON.parse(PLAIN.toString('utf8', HEAD_START, HEAD_END));
  const bad = (what: string, change: object) => corrupt(what, withHead(JSON.stringify({ ...head, ...change })));
  const component = { rootfs: false, entries: 0 };
  const [services] = head.components;
  const twice = JSON.stringify(head).replace('{', '{"product":"other",');
  return {
    'manifest-bad-head-field': bad('a field in the head that this version does not know', { more: 1 }),
    'manifest-bad-head-count': bad('more segments are announced than there are', { segments: 3 }),
    'manifest-bad-head-key-twice': corrupt('a key that comes twice in the head', withHead(twice)),
    'manifest-bad-head-utf8': corrupt('the product in the head is no UTF-8', withByte(PLAIN.indexOf('cloud'), 0xff)),
    'manifest-bad-component-twice': bad('two components of one name', {
      components: [services, { name: 'services', ...component }],
    }),
    'manifest-bad-component-name': bad('a component that is named like the folder above', {
      components: [{ ...services, name: '..' }],
    }),
  };
}

function chunkTables(): Vectors {
  const bad = (what: string, ...chunks: readonly Chunk[]) => corrupt(what, sampleManifest({ chunks }));
  const [first, second, last] = [chunk(0, 0, 10), chunk(1, 5, 20), chunk(0, 0, 10)];
  return {
    'manifest-bad-chunk-segment': bad('a chunk lies in a segment that does not exist', first, chunk(2, 5, 20), last),
    'manifest-bad-chunk-outside': bad('a chunk ends past its segment', first, chunk(1, 6, 20), last),
    'manifest-bad-chunk-empty': bad('a chunk has no bytes', first, second, chunk(0, 0, 0)),
    'manifest-bad-size': bad('the chunks of a file do not add up to its size', first, chunk(1, 5, 19), last),
    'manifest-bad-unused-chunk': bad('a chunk belongs to no file', first, second, last, last),
    'manifest-bad-missing-chunk': bad('the last file has no chunk left', first, second),
  };
}

function entries(): Vectors {
  const bad = (what: string, offset: number, value: number) => corrupt(what, withByte(FIRST_ENTRY + offset, value));
  const value = Buffer.from('v');
  const large = Buffer.alloc(65_537);
  const many = Array.from({ length: 65 }, (_, n) => ({ name: `user.${n}`, value }));
  const twice = { name: 'user.a', value };
  return {
    'manifest-bad-type': bad('an entry of no known type', 0, 9),
    'manifest-bad-flag': bad('a flag that this version does not know', 1, 4),
    'manifest-bad-sparse-directory': bad('a directory that is sparse', 1, 1),
    'manifest-bad-mode': bad('a mode of more than twelve bits', 2, 0x80),
    'manifest-bad-xattr-empty': withXattrs('an attribute without a name', { name: '', value }),
    'manifest-bad-xattr-nul': withXattrs('an attribute with a NUL in its name', { name: 'user.a\0b', value }),
    'manifest-bad-xattr-twice': withXattrs('an attribute that comes twice', twice, twice),
    'manifest-bad-xattr-large': withXattrs('an attribute of more than 64 KiB', { name: 'user.a', value: large }),
    'manifest-bad-xattr-many': withXattrs('an entry with 65 attributes', ...many),
    'manifest-bad-xattr-utf8': corrupt(
      'the name of an attribute is no UTF-8',
      withByte(PLAIN.indexOf('user.note'), 0xff),
    ),
  };
}

function withXattrs(what: string, ...xattrs: Entry['xattrs']): Vector {
  const directory = { type: 'directory', path: Buffer.from('x'), mode: 0o755, uid: 0, gid: 0, mtime: 0 } as const;
  return corrupt(what, sampleManifest({ more: [{ ...directory, xattrs }] }));
}

function withHead(text: string): Buffer {
  const head = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.length);
  return Buffer.concat([PLAIN.subarray(0, 8), length, head, PLAIN.subarray(HEAD_END)]);
}

function withByte(at: number, value: number): Buffer {
  const copy = Buffer.from(PLAIN);
  copy[at] = value;
  return copy;
}

/** A plaintext that is sealed as it should be, so that only the decoder can refuse it. */
function corrupt(what: string, plain: Buffer): Vector {
  return { what, ...openManifest(sealManifest(PRODUCT_KEY, plain)), error: 'manifest-corrupt' };
}
