// Stopping in order: say so, let what runs come to its end, within a bound; then stop whatever is left.
import { setTimeout as sleep } from 'node:timers/promises';

const DEFAULT_WITHIN_MS = 30_000;

export interface ShutdownOptions {
  /** How long `/readyz` answers 503 before the ports close: the time a load balancer takes to notice. Default 0. */
  readonly noticeMs?: number;
  /** After that, what still runs is cut off. Default 30 s. */
  readonly withinMs?: number;
}

export interface Shutdown {
  isStopping(): boolean;
  /** Aborted when the time for running work is over. */
  readonly deadline: AbortSignal;
  /** Begins to stop; resolves when the ports may close. */
  begin(): Promise<void>;
  /** Everything has ended: the deadline is none any more. */
  end(): void;
}

export function shutdownOf({ noticeMs = 0, withinMs = DEFAULT_WITHIN_MS }: ShutdownOptions): Shutdown {
  const deadline = new AbortController();
  let stopping = false;
  let timer: NodeJS.Timeout | undefined;
  return {
    isStopping: () => stopping,
    deadline: deadline.signal,
    async begin() {
      stopping = true;
      if (noticeMs > 0) await sleep(noticeMs);
      timer = setTimeout(() => deadline.abort(), withinMs);
    },
    end: () => clearTimeout(timer),
  };
}

/** Waits for the work, but not longer than until the deadline; `late` is then called, and not waited for. */
export async function beforeAbort(
  work: Promise<unknown>,
  deadline: AbortSignal,
  late: () => unknown = () => undefined,
): Promise<void> {
  const aborted = Promise.withResolvers<'late'>();
  const stop = () => aborted.resolve('late');
  if (deadline.aborted) stop();
  else deadline.addEventListener('abort', stop, { once: true });
  const outcome = await Promise.race([work, aborted.promise]);
  deadline.removeEventListener('abort', stop);
  if (outcome !== 'late') return;
  work.catch(() => undefined);
  late();
}
