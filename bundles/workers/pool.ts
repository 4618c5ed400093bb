// Threads for the heavy work of bundles: hashing, compressing, sealing, opening, writing. Jobs are plain data; a worker does
// one at a time, synchronously, which is twice as fast there as the asynchronous calls are here.
import { Worker } from 'node:worker_threads';
import { RolloverError } from '../../signing/index.ts';
import { BUNDLE_ERRORS, bundleError } from '../errors.ts';
import { type Job, type JobResult, movedWith, type Outcome } from './jobs.ts';

/** Young objects die young here; a small nursery keeps a worker's memory flat. */
const NURSERY_MB = 16;

export interface WorkerPool {
  readonly size: number;
  /** Runs a job on the next free worker. Its buffers are moved, not copied: the caller must not use them again. */
  run<J extends Job>(job: J): Promise<JobResult<J>>;
  close(): Promise<void>;
}

interface Waiting {
  readonly job: Job;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

/** A pool of `size` workers that share `memory`. The caller closes it. */
export function workerPool(size: number, memory?: SharedArrayBuffer): WorkerPool {
  const queue: Waiting[] = [];
  const idle: Worker[] = [];
  const all: Worker[] = [];
  const busy = new Map<Worker, Waiting>();

  const finish = (worker: Worker, outcome: Outcome) => {
    const current = busy.get(worker);
    busy.delete(worker);
    idle.push(worker);
    if (outcome.ok) current?.resolve(outcome.value as never);
    else current?.reject(asError(outcome));
    next();
  };
  const fail = (worker: Worker, error: unknown) => {
    const current = busy.get(worker);
    busy.delete(worker);
    all.splice(all.indexOf(worker), 1);
    current?.reject(error);
    next();
  };
  const start = () => {
    const worker = new Worker(entry(), {
      workerData: memory,
      resourceLimits: { maxYoungGenerationSizeMb: NURSERY_MB },
    });
    worker.on('message', (outcome: Outcome) => finish(worker, outcome));
    worker.on('error', error => fail(worker, error));
    all.push(worker);
    return worker;
  };
  const next = () => {
    while (queue.length > 0 && (idle.length > 0 || all.length < size)) {
      const worker = idle.pop() ?? start();
      const waiting = queue.shift() as Waiting;
      busy.set(worker, waiting);
      worker.postMessage(waiting.job, movedWith(waiting.job));
    }
  };

  return {
    size,
    run(job) {
      return new Promise((resolve, reject) => {
        queue.push({ job, resolve, reject });
        next();
      });
    },
    async close() {
      await Promise.all(all.map(worker => worker.terminate()));
    },
  };
}

/** The packed product has JavaScript where a checkout has TypeScript. */
function entry(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);
}

/** Errors lose their class on the way between threads. */
function asError(outcome: Extract<Outcome, { ok: false }>): Error {
  const { code, message } = outcome;
  if (code !== undefined && code in BUNDLE_ERRORS) return bundleError(code as keyof typeof BUNDLE_ERRORS, message);
  return outcome.entry && code !== undefined ? new RolloverError(code, outcome.entry, message) : new Error(message);
}
