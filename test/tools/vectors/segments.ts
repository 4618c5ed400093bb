// Segments that open, and segments with one fault.
import { sealManifest, sealSegment } from '../../../bundles/seal.ts';
import { sha256, sha256Hex } from '../../../signing/index.ts';
import { flipped } from '../../support/damage.ts';
import type { Vector } from '../../support/vectors.ts';
import { openManifest, openSegment, PRODUCT_KEY, type Vectors } from './operations.ts';

export function segments(): Vectors {
  const plain = Buffer.from('The same sentence, again and again. '.repeat(40));
  const sealed = sealSegment(PRODUCT_KEY, plain);
  const { bytes } = sealed;
  const good = openSegment(sealed, plain.length);
  const bad = (what: string, change: Partial<typeof good>): Vector => ({
    what,
    ...good,
    ...change,
    error: 'segment-corrupt',
  });
  // A fault in the bytes is put under its own right name, so that the name is not what is wrong.
  const renamed = (what: string, object: Buffer, change: Partial<typeof good> = {}) =>
    bad(what, { object: object.toString('base64'), name: sha256Hex(object), ...change });
  const [less, more] = [{ plainSize: plain.length - 1 }, { plainSize: plain.length + 1 }];
  const smaller = Buffer.from(bytes);
  smaller.writeUInt32BE(less.plainSize, 8);
  const { operation: _, ...manifest } = openManifest(sealManifest(PRODUCT_KEY, plain));
  return {
    'segment-good': { what: 'a segment of text that repeats', ...good, plain: plain.toString('base64') },
    'segment-good-one-byte': {
      what: 'the smallest segment',
      ...openSegment(sealSegment(PRODUCT_KEY, Buffer.from([0])), 1),
      plain: 'AA==',
    },
    'segment-bad-name': bad('the object is another one than its name says', { name: sha256Hex('another') }),
    'segment-bad-key': bad('the key is another one', { key: sha256('another').toString('hex') }),
    'segment-bad-kind': bad('a manifest in the place of a segment', manifest),
    'segment-bad-promise': bad('the manifest promised less than the object holds', less),
    'segment-bad-promise-more': bad('the manifest promised more than the object holds', more),
    'segment-bad-plain-size-in-head': renamed(
      'the head is authenticated: its size was changed, and the manifest with it',
      smaller,
      less,
    ),
    'segment-bad-magic': renamed('the magic is that of nothing', flipped(bytes, 0)),
    'segment-bad-ciphertext': renamed('one bit of the ciphertext was changed', flipped(bytes, 20)),
    'segment-bad-tag': renamed('one bit of the tag was changed', flipped(bytes, bytes.length - 1)),
    'segment-bad-cut': renamed('the last byte is missing', bytes.subarray(0, -1)),
    'segment-bad-empty': renamed('there is nothing', Buffer.alloc(0)),
    'segment-bad-head-only': renamed('there is a head and nothing else', bytes.subarray(0, 12)),
  };
}
