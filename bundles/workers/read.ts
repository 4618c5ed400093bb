// The reading half of a worker: reading, cutting, hashing and sealing. Synchronous.
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { sha256 } from '../../signing/index.ts';
import { CHUNK, cut } from '../chunker.ts';
import { bundleError } from '../errors.ts';
import { sealSegment } from '../seal.ts';
import type { DigestResult, ScanJob, ScanResult, SealJob, SealResult } from './jobs.ts';

const READ_BYTES = 512 * 1024;
const ZEROS = Buffer.alloc(CHUNK.maxBytes);
const ZERO_DIGEST = sha256(ZEROS);

/**
 * Reads all ranges into the shared memory, and cuts and hashes them there: what is packed later is what was hashed.
 *
 * @throws `entry-changed`, `directory-unreadable`
 */
export function scanRanges(job: ScanJob, memory: SharedArrayBuffer): ScanResult {
  const content = Buffer.from(memory, job.at);
  const ranges = job.lengths.length;
  const counts = new Uint32Array(ranges);
  const lengths: number[] = [];
  const digests: Buffer[] = [];
  let pathAt = 0;
  let at = 0;
  for (let range = 0; range < ranges; range++) {
    const path = Buffer.from(job.paths.subarray(pathAt, pathAt + (job.pathLengths[range] as number)));
    pathAt += path.length;
    const target = content.subarray(at, at + (job.lengths[range] as number));
    at += target.length;
    const before = lengths.length;
    for (const chunk of chunksOf(
      path,
      job.offsets[range] as number,
      target,
      job.seen.subarray(range * 4, range * 4 + 4),
    )) {
      lengths.push(chunk.length);
      digests.push(isZeroBlock(chunk) ? ZERO_DIGEST : sha256(chunk));
    }
    counts[range] = lengths.length - before;
  }
  return { counts, lengths: Uint32Array.from(lengths), digests: Buffer.concat(digests) };
}

export function sealPlain({ productKey, at, length }: SealJob, memory: SharedArrayBuffer): SealResult {
  return sealSegment(productKey, Buffer.from(memory, at, length));
}

export function digestFile(path: Uint8Array): DigestResult {
  const fd = openSync(Buffer.from(path), constants.O_RDONLY);
  try {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    const hash = createHash('sha256');
    let length = 0;
    for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer)) {
      hash.update(buffer.subarray(0, read));
      length += read;
    }
    return { sha256: hash.digest('hex'), length };
  } finally {
    closeSync(fd);
  }
}

/**
 * Reads a range into `target` and yields its chunks as they come, while they are warm in the processor's cache. Looks at the
 * file before and after, so that what was read is one state of it: the one that the tree was read in.
 */
function* chunksOf(path: Buffer, offset: number, target: Buffer, seen: BigInt64Array): Generator<Buffer> {
  const fd = open(path);
  try {
    requireState(fd, seen, path);
    let cutTo = 0;
    for (let done = 0; done < target.length; ) {
      const read = readSync(fd, target, done, Math.min(READ_BYTES, target.length - done), offset + done);
      if (read === 0) throw bundleError('entry-changed', `${path} became shorter while it was packed.`);
      done += read;
      const cuttable = done === target.length ? done : done - CHUNK.maxBytes;
      while (cutTo < cuttable) {
        const chunk = target.subarray(cutTo, cutTo + cut(target.subarray(cutTo, done)));
        cutTo += chunk.length;
        yield chunk;
      }
    }
    requireState(fd, seen, path);
  } finally {
    closeSync(fd);
  }
}

function open(path: Buffer): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (cause) {
    throw bundleError('directory-unreadable', `${path} cannot be read: ${(cause as NodeJS.ErrnoException).code}.`);
  }
}

function requireState(fd: number, seen: BigInt64Array, path: Buffer): void {
  const { ino, size, mtimeNs, ctimeNs } = fstatSync(fd, { bigint: true });
  if (ino === seen[0] && size === seen[1] && mtimeNs === seen[2] && ctimeNs === seen[3]) return;
  throw bundleError('entry-changed', `${path} changed while it was packed.`);
}

/** Holes of sparse files come as whole blocks of zeros; comparing is many times faster than hashing. */
function isZeroBlock(chunk: Buffer): boolean {
  return chunk.length === CHUNK.maxBytes && chunk[0] === 0 && chunk.equals(ZEROS);
}
