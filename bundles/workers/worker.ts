// A worker thread: takes a job, does it synchronously, answers. What each job does is in `read.ts` and `write.ts`.
import { parentPort, workerData } from 'node:worker_threads';
import { RolloverError } from '../../signing/index.ts';
import type { Job, Outcome, SealResult } from './jobs.ts';
import { digestFile, scanRanges, sealPlain } from './read.ts';
import { writePieces } from './write.ts';

/** What this pool's threads share; see `slots.ts`. */
const memory = workerData as SharedArrayBuffer;

parentPort?.on('message', (job: Job) => {
  const outcome = attempt(job);
  parentPort?.postMessage(outcome, movable(outcome));
});

function attempt(job: Job): Outcome {
  try {
    return { ok: true, value: carryOut(job) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!(error instanceof RolloverError)) return { ok: false, message };
    return { ok: false, code: error.code, entry: { kind: error.kind, hint: error.hint }, message };
  }
}

function carryOut(job: Job): unknown {
  switch (job.kind) {
    case 'scan':
      return scanRanges(job, memory);
    case 'seal':
      return sealPlain(job, memory);
    case 'digest':
      return digestFile(job.path);
    case 'write':
      return writePieces(job);
  }
}

/** A sealed segment goes to the main thread without a copy. */
function movable(outcome: Outcome): ArrayBuffer[] {
  const bytes = outcome.ok && (outcome.value as Partial<SealResult> | undefined)?.bytes;
  return bytes && bytes.byteLength === bytes.buffer.byteLength ? [bytes.buffer as ArrayBuffer] : [];
}
