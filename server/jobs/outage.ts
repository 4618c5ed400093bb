// Jobs that find a database or an object store gone wait for it: an outage is no failure of theirs, and costs them no attempt.
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../../signing/index.ts';
import { databaseOutage } from '../db/outage.ts';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;

/**
 * Runs `work`, which is safe to repeat, until nothing that it needs is away.
 *
 * @param stopping ends the waiting: then the outage is thrown, and the queue tries again later
 * @param onOutage hears of each
 */
export async function throughOutages<T>(
  work: () => Promise<T>,
  stopping: AbortSignal,
  onOutage: (error: Error) => void,
): Promise<T> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await work();
    } catch (error) {
      if (stopping.aborted || !isOutage(error)) throw error;
      onOutage(error as Error);
      await sleep(pauseMs, undefined, { signal: stopping }).catch(() => undefined);
    }
  }
}

function isOutage(error: unknown): boolean {
  return databaseOutage(error) !== undefined || hasCode(error, 'database-away', 'object-store-away');
}
