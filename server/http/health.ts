// Whether the process lives, and whether it can do its work now: for load balancers and orchestrators.

import { sql } from 'kysely';
import { z } from 'zod';
import { type Context, FIRST_ORGANIZATION } from '../context.ts';
import type { JobQueue } from '../jobs/queues.ts';
import { cached } from '../metrics/metrics.ts';
import { type Route, route } from './route.ts';

/** A check that is later than this has failed. */
const LIMIT_MS = 2000;
/** Anybody may ask; they get the answer of a moment ago. */
const KEEP_MS = 1000;
/** An object that no store has: asking for it shows that the store answers. */
const NO_OBJECT = '0'.repeat(64);

export interface Check {
  readonly name: string;
  /** Rejects when it fails. */
  run(): Promise<unknown>;
}

/** What the service cannot work without. */
export function serviceChecks({ db, storageOf }: Context, queue: Pick<JobQueue<never>, 'counts'>): readonly Check[] {
  return [
    { name: 'database', run: () => sql`select 1`.execute(db) },
    { name: 'queue', run: () => queue.counts() },
    { name: 'blobs', run: () => storageOf(FIRST_ORGANIZATION).size(NO_OBJECT) },
  ];
}

interface Outcome {
  readonly name: string;
  readonly status: 'ok' | 'failed' | 'late';
  readonly ms: number;
}

/** `/livez` and `/readyz`. What failed is named; why it did is in the log. */
export function healthRoutes(
  checks: readonly Check[],
  { now, log }: Pick<Context, 'now' | 'log'>,
  isStopping: () => boolean = () => false,
): readonly Route[] {
  const look = cached(
    KEEP_MS,
    () => now().getTime(),
    () =>
      Promise.all(
        checks.map(check => outcomeOf(check, error => log.warn({ check: check.name, err: error }, 'not ready'))),
      ),
  );
  return [
    route({
      method: 'get',
      path: '/livez',
      tag: 'health',
      summary: 'the process answers',
      access: 'anybody',
      answer: z.strictObject({ status: z.literal('ok') }),
      handle: async () => ({ status: 'ok' as const }),
    }),
    route({
      method: 'get',
      path: '/readyz',
      tag: 'health',
      summary: 'the service can do its work; 503 when it cannot',
      access: 'anybody',
      answer: 'stream',
      async handle({ response }) {
        if (isStopping()) return void response.status(503).json({ status: 'stopping', checks: [] });
        const outcomes = await look();
        const isReady = outcomes.every(({ status }) => status === 'ok');
        response.status(isReady ? 200 : 503).json({ status: isReady ? 'ready' : 'not ready', checks: outcomes });
      },
    }),
  ];
}

async function outcomeOf({ name, run }: Check, onError: (error: unknown) => void): Promise<Outcome> {
  const began = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>(resolve => {
    timer = setTimeout(() => resolve('late'), LIMIT_MS);
  });
  const done = run().then(
    () => 'ok' as const,
    error => {
      onError(error);
      return 'failed' as const;
    },
  );
  const status = await Promise.race([done, late]);
  clearTimeout(timer);
  return { name, status, ms: Math.round(performance.now() - began) };
}
