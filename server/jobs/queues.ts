// The one place that makes BullMQ queues and workers: on PostgreSQL by default, on Redis when REDIS_URL is set.
// A job may run twice (a worker that dies is replaced), so all work given to a queue is safe to repeat.
import { createPostgresBackend, type Job, Queue, Worker, withBackend } from 'bullmq';
import { Redis } from 'ioredis';
import type { Connection } from '../db/database.ts';
import { beforeAbort } from '../shutdown.ts';
import { throughOutages } from './outage.ts';

/** A queue and the worker that serves it in this process. */
export interface JobQueue<Data> {
  /** Adds a job; a second one with the same `jobId` is the first one. */
  add(name: string, data: Data, options?: { readonly jobId?: string }): Promise<void>;
  /** Runs `name` again and again; the schedule survives restarts and exists once, however many services run. */
  every(intervalMs: number, name: string, data: Data): Promise<void>;
  /** Jobs that wait, run, are put off, or have failed for good. */
  counts(): Promise<Readonly<Record<'waiting' | 'active' | 'delayed' | 'failed', number>>>;
  /** Waits for the job being worked on, until the deadline; then lets go of the backend. What was not done is done by the next worker. */
  close(deadline?: AbortSignal): Promise<void>;
}

export interface QueueBackend {
  readonly connection: Connection;
  readonly redisUrl: string | undefined;
}

/** Finished jobs are kept a while, for those who ask what became of them. */
const KEPT = { removeOnComplete: { count: 1000 }, removeOnFail: { count: 1000 } };
/** Connections to the backend are given back in order; if that cannot be, they end with the process. */
const LET_GO_MS = 3000;
/** How often a job may lose its process: work is safe to repeat, and a deploy or a bad hour is no fault of it. */
const MOST_STALLS = 1000;
const COUNTED = ['waiting', 'active', 'delayed', 'failed'] as const;
const RETRIES = { attempts: 3, backoff: { type: 'exponential', delay: 500 } };

export interface QueueHandlers<Data> {
  /** Handles one job; throwing means: try again later, three times in all. */
  work(job: string, data: Data): Promise<void>;
  /** Hears of a job that failed for the last time. */
  givenUp?(job: string, data: Data): Promise<void>;
  /** Hears of every failure, and of trouble with the backend, which the queue itself gets over. */
  onError(error: Error): void;
}

/** Opens a queue and starts its worker. */
export async function openQueue<Data>(
  backend: QueueBackend,
  name: string,
  { work, givenUp, onError }: QueueHandlers<Data>,
): Promise<JobQueue<Data>> {
  const stopping = new AbortController();
  const { queue, worker, end } = connect(backend, name, job =>
    throughOutages(() => work(job.name, job.data as Data), stopping.signal, onError),
  );
  worker.on('failed', (job, error) => {
    onError(error);
    const isLast = job !== undefined && job.attemptsMade >= (job.opts.attempts ?? 1);
    if (!isLast || !givenUp) return;
    throughOutages(() => givenUp(job.name, job.data as Data), stopping.signal, onError).catch(onError);
  });
  queue.on('error', onError);
  worker.on('error', onError);
  await queue.waitUntilReady();
  return {
    async add(job, data, options) {
      await queue.add(job, data, { ...KEPT, ...RETRIES, ...options });
    },
    async every(intervalMs, job, data) {
      await queue.upsertJobScheduler(job, { every: intervalMs }, { name: job, data, opts: KEPT });
    },
    async counts() {
      const { waiting = 0, active = 0, delayed = 0, failed = 0 } = await queue.getJobCounts(...COUNTED);
      return { waiting, active, delayed, failed };
    },
    async close(deadline = new AbortController().signal) {
      stopping.abort();
      await beforeAbort(worker.pause(), deadline);
      const letGo = new AbortController();
      const timer = setTimeout(() => letGo.abort(), LET_GO_MS);
      const all = worker.close(deadline.aborted).then(() => Promise.all([queue.close(), end()]));
      await beforeAbort(all, letGo.signal);
      clearTimeout(timer);
    },
  };
}

function connect(backend: QueueBackend, name: string, process: (job: Job) => Promise<void>) {
  if (backend.redisUrl !== undefined) {
    const connection = new Redis(backend.redisUrl, { maxRetriesPerRequest: null });
    const end = async () => void (await connection.quit());
    return {
      queue: new Queue(name, { connection }),
      worker: new Worker(name, process, { connection, maxStalledCount: MOST_STALLS }),
      end,
    };
  }
  const onPostgres = withBackend(createPostgresBackend);
  const connection = { ...backend.connection, schema: 'bullmq', migrate: true };
  return {
    queue: new onPostgres.Queue(name, { connection }) as unknown as Queue,
    worker: new onPostgres.Worker(name, process, { connection, maxStalledCount: MOST_STALLS }) as unknown as Worker,
    end: async () => undefined,
  };
}
