// What can be asked of a worker, and what it answers. Plain data that crosses threads cheaply: numbers in typed arrays, large
// buffers shared or moved instead of copied.
import type { ErrorEntry } from '../../signing/index.ts';

/** A part of a file on disk. `seen` says in which state the file has to be: any write to it changes that. */
export interface FileRange {
  readonly path: Buffer;
  readonly offset: number;
  readonly length: number;
  readonly seen: FileState;
}

/** Inode, size, modification and change time (nanoseconds). */
export type FileState = readonly [bigint, bigint, bigint, bigint];

/** Reads ranges, cuts them into chunks and hashes each. */
export interface ScanJob {
  readonly kind: 'scan';
  /** The paths of all ranges, one after the other, and the length of each. */
  readonly paths: Uint8Array;
  readonly pathLengths: Uint32Array;
  readonly offsets: Float64Array;
  readonly lengths: Float64Array;
  /** Four numbers a range. */
  readonly seen: BigInt64Array;
  /** Where in the shared memory their content goes, one range after the other. */
  readonly at: number;
}

export interface ScanResult {
  /** Chunks of each range. */
  readonly counts: Uint32Array;
  /** Of every chunk, in order. */
  readonly lengths: Uint32Array;
  /** SHA-256 of every chunk, 32 bytes each. */
  readonly digests: Uint8Array;
}

/** Seals `length` bytes of the shared memory as one segment. */
export interface SealJob {
  readonly kind: 'seal';
  readonly productKey: Uint8Array;
  readonly at: number;
  readonly length: number;
}

export interface SealResult {
  readonly name: string;
  readonly key: Uint8Array;
  readonly bytes: Uint8Array;
}

/** SHA-256 of a whole file. */
export interface DigestJob {
  readonly kind: 'digest';
  readonly path: Uint8Array;
}

export interface DigestResult {
  readonly sha256: string;
  readonly length: number;
}

/** Opens a segment and writes pieces of it into files. */
export interface WriteJob {
  readonly kind: 'write';
  readonly name: string;
  readonly key: Uint8Array;
  readonly plainSize: number;
  readonly sealed: Uint8Array<ArrayBuffer>;
  readonly writes: readonly FileWrite[];
}

export interface FileWrite {
  readonly path: Uint8Array;
  /** The file's size, to which it is extended when it is opened. */
  readonly size: number;
  /** Leaves pieces that hold only zeros as holes. */
  readonly sparse: boolean;
  /** Set when these pieces are all of the file: mode, owner and time are set in the same breath. */
  readonly finish?: { readonly mode: number; readonly mtime: number; readonly owner?: readonly [number, number] };
  /** Offset in the file, offset in the segment, length: three numbers a piece. */
  readonly pieces: readonly number[];
}

export type Job = ScanJob | SealJob | DigestJob | WriteJob;

export type JobResult<J extends Job> = J extends ScanJob
  ? ScanResult
  : J extends SealJob
    ? SealResult
    : J extends DigestJob
      ? DigestResult
      : undefined;

export type Outcome =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code?: string; readonly entry?: ErrorEntry; readonly message: string };

/** A scan of these ranges into the shared memory. */
export function scanJob(ranges: readonly FileRange[], at: number): ScanJob {
  return {
    kind: 'scan',
    paths: new Uint8Array(Buffer.concat(ranges.map(range => range.path))),
    pathLengths: Uint32Array.from(ranges, range => range.path.length),
    offsets: Float64Array.from(ranges, range => range.offset),
    lengths: Float64Array.from(ranges, range => range.length),
    seen: BigInt64Array.from(ranges.flatMap(range => range.seen)),
    at,
  };
}

/** The buffers of a job that go with it: the sender must not use them any more. */
export function movedWith(job: Job): ArrayBuffer[] {
  return job.kind === 'write' ? [job.sealed.buffer] : [];
}
