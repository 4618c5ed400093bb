// What a packer that lies would make: segments whose zstd frames are not what the authenticated head says.
import { createCipheriv, createHmac } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { sha256, sha256Hex } from '../../../signing/index.ts';
import type { Vector } from '../../support/vectors.ts';
import { openSegment, PRODUCT_KEY, type Vectors } from './operations.ts';

export function lies(): Vectors {
  const frame = zstdCompressSync(Buffer.alloc(1000, 'x'));
  const skippable = Buffer.from('502a4d180400000061626364', 'hex');
  return {
    'segment-bad-bomb': lie('the frame holds more than the authenticated size', frame, 10),
    'segment-bad-short-frame': lie('the frame holds less than the authenticated size', frame, 1001),
    'segment-bad-trailing': lie('bytes follow the frame', Buffer.concat([frame, Buffer.from('zz')]), 1000),
    'segment-bad-two-frames': lie('a second frame follows the first', Buffer.concat([frame, frame]), 1000),
    'segment-bad-skippable': lie('a skippable frame comes first', Buffer.concat([skippable, frame]), 1000),
    'segment-bad-cut-frame': lie('the end of the frame is missing', frame.subarray(0, -2), 1000),
  };
}

/** Sealed by hand, for `sealSegment` compresses what it is given and says its true size. */
function lie(what: string, packed: Buffer, plainSize: number): Vector {
  const key = createHmac('sha256', PRODUCT_KEY).update('RLVRSEG1').update(sha256(packed)).digest();
  const head = Buffer.alloc(12);
  head.write('RLVRSEG1');
  head.writeUInt32BE(plainSize, 8);
  const cipher = createCipheriv('aes-256-gcm', key, Buffer.alloc(12)).setAAD(head);
  const bytes = Buffer.concat([head, cipher.update(packed), cipher.final(), cipher.getAuthTag()]);
  return { what, ...openSegment({ name: sha256Hex(bytes), key, bytes }, plainSize), error: 'segment-corrupt' };
}
