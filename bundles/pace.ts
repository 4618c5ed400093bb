// How slow a source may be before it counts as one that does not work. A source that stalls, or sends a byte now and then, must
// not hold up a site for ever.
import { bundleError } from './errors.ts';

/**
 * The least that is asked of a source: in any `graceMs`, `bytesPerSecond` on the average. So `n` bytes are there within `graceMs`
 * and `n / bytesPerSecond`, and what was fast once may not stall afterwards.
 */
export interface Pace {
  readonly graceMs: number;
  readonly bytesPerSecond: number;
}

/** Half of what each of four transfers gets that share the slowest line we serve (64 kB/s), and time to connect. */
export const SLOWEST: Pace = { graceMs: 30_000, bytesPerSecond: 8 * 1024 };

/** How often a transfer is looked at within one `graceMs`. */
const LOOKS = 10;

/** The time that so many bytes may take. */
export function mostMs({ graceMs, bytesPerSecond }: Pace, bytes: number): number {
  return graceMs + (1000 * bytes) / bytesPerSecond;
}

/** What a transfer has to say to whoever watches its pace. */
export interface Watch {
  /** Aborted when it is too slow, or when nobody waits for it any more. */
  readonly signal: AbortSignal;
  /**
   * It is under way: from now on, bytes have to arrive steadily. What never says so, such as a file on a stick, is held to the
   * time of the whole only.
   */
  asked(): void;
  arrived(bytes: number): void;
}

export interface Limits {
  readonly pace: Pace;
  /** For all of it, however steady. */
  readonly wholeMs: number;
  /** Who sends, and what, for people. */
  readonly from: string;
  readonly what: string;
  /** Ends it early; its reason is thrown. */
  readonly stop?: AbortSignal | undefined;
}

/**
 * Does work that waits for a source, and gives it up when the source is too slow. Work that does not listen to its signal is left
 * behind.
 *
 * @throws `source-slow`, the reason of `stop`, and what the work throws
 */
export async function keepPace<T>(limits: Limits, work: (watch: Watch) => Promise<T>): Promise<T> {
  const { pace, wholeMs, from, what, stop } = limits;
  const ended = new AbortController();
  const signal = stop ? AbortSignal.any([ended.signal, stop]) : ended.signal;
  const least = (pace.graceMs * pace.bytesPerSecond) / 1000;
  const giveUp = (said: string) => ended.abort(bundleError('source-slow', `The ${from} ${said}.`));
  let total = 0;
  const looks = [0];
  const look = () => {
    const before = looks.length === LOOKS ? looks.shift() : undefined;
    looks.push(total);
    if (before === undefined || total - before >= least) return;
    giveUp(`is too slow: ${total - before} bytes of ${what} in ${seconds(pace.graceMs)}`);
  };
  let steady: NodeJS.Timeout | undefined;
  const whole = setTimeout(() => giveUp(`did not send ${what} in ${seconds(wholeMs)}`), wholeMs);
  const watch: Watch = {
    signal,
    asked() {
      steady ??= setInterval(look, pace.graceMs / LOOKS);
    },
    arrived(bytes) {
      total += bytes;
    },
  };
  try {
    signal.throwIfAborted();
    return await Promise.race([work(watch), aborted(signal)]);
  } catch (error) {
    throw signal.aborted ? signal.reason : error; // not what a transfer says that was ended by it
  } finally {
    clearTimeout(whole);
    clearInterval(steady);
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 1000)} s`;
}
