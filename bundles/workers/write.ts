// The writing half of a worker: opens a segment and puts its pieces where they belong. Nothing is written before the whole
// segment has been verified.
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  futimesSync,
  openSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { signingError } from '../../signing/index.ts';
import { openSegment } from '../seal.ts';
import { fileTime } from './file-time.ts';
import type { FileWrite, WriteJob } from './jobs.ts';
import { giveBack } from './memory.ts';

/** Created for its owner alone; modes are set when the content is whole. Links are never followed. */
const FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW;

/** @throws `segment-corrupt`, `disk-write` */
export function writePieces({ name, key, sealed, plainSize, writes }: WriteJob): undefined {
  const plain = openSegment(name, key, sealed, plainSize);
  giveBack(sealed);
  for (const write of writes) {
    try {
      writeFile(plain, write);
    } catch (cause) {
      const { code = 'failed' } = cause as NodeJS.ErrnoException;
      throw signingError('disk-write', `Cannot write ${Buffer.from(write.path)}: ${code}.`);
    }
  }
  giveBack(plain);
  return undefined;
}

function writeFile(plain: Buffer, { path, size, sparse, finish, pieces }: FileWrite): void {
  const whole = finish !== undefined;
  const fd = whole ? openAnew(Buffer.from(path)) : openSync(Buffer.from(path), FLAGS, 0o600);
  try {
    // Holes are what nothing is written to.
    if (sparse || !whole) ftruncateSync(fd, size);
    for (let i = 0; i < pieces.length; i += 3) {
      const [at, from, length] = pieces.slice(i, i + 3) as [number, number, number];
      const piece = plain.subarray(from, from + length);
      if (!(sparse && isZero(piece))) writeFully(fd, piece, at);
    }
    if (!finish) return;
    if (finish.owner) fchownSync(fd, ...finish.owner);
    fchmodSync(fd, finish.mode);
    futimesSync(fd, fileTime(finish.mtime), fileTime(finish.mtime));
  } finally {
    closeSync(fd);
  }
}

/** An interrupted run may have left a longer file, or have finished it and made it read-only without getting to say so. */
function openAnew(path: Buffer): number {
  try {
    return openSync(path, FLAGS | constants.O_TRUNC, 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    unlinkSync(path);
    return openSync(path, FLAGS, 0o600);
  }
}

function writeFully(fd: number, bytes: Buffer, at: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, at + done);
}

function isZero(bytes: Buffer): boolean {
  if (bytes[0] !== 0) return false;
  return bytes.length === 1 || bytes.subarray(1).equals(bytes.subarray(0, -1));
}
