// One object from one source, in the time that it may take. A source that stalls, or sends a byte now and then, must not hold
// up a site for ever: what counts is when the whole object is there.
import { bundleError } from './errors.ts';

/** Where sealed objects come from. They are verified by whoever receives them. */
export interface ObjectSource {
  /** Said in errors and on the console, as in `stick /media/usb0` or `service updates.example`. */
  readonly name: string;
  /**
   * Never returns more than `maxBytes`.
   *
   * @param signal aborted when nobody waits for it any more; a source that can, ends its transfer then
   * @throws `object-missing`, `object-corrupt`, and transport errors
   */
  object(digest: string, maxBytes: number, signal?: AbortSignal): Promise<Uint8Array>;
}

/** The least that is asked of a source: an object of `n` bytes within `graceMs` and `n / bytesPerSecond`. */
export interface Pace {
  readonly graceMs: number;
  readonly bytesPerSecond: number;
}

/** Half of what each of four segments gets that share the slowest line we serve (64 kB/s), and time to connect. */
const SLOWEST: Pace = { graceMs: 15_000, bytesPerSecond: 8 * 1024 };

export interface FetchOptions {
  readonly slowest?: Pace | undefined;
  /** Ends the wait early; its reason is thrown. */
  readonly stop?: AbortSignal;
}

/**
 * Fetches an object of `size` bytes. A source that does not listen to its signal is left behind.
 *
 * @throws `source-slow`, the reason of `stop`, and what the source throws
 */
export async function fetchObject(
  source: ObjectSource,
  digest: string,
  size: number,
  { slowest = SLOWEST, stop }: FetchOptions = {},
): Promise<Uint8Array> {
  const limitMs = slowest.graceMs + (1000 * size) / slowest.bytesPerSecond;
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(tooSlow(source, digest, size, limitMs)), limitMs);
  const signal = stop ? AbortSignal.any([limit.signal, stop]) : limit.signal;
  try {
    signal.throwIfAborted();
    return await Promise.race([source.object(digest, size, signal), aborted(signal)]);
  } catch (error) {
    throw signal.aborted ? signal.reason : error; // not what a transfer says that was ended by it
  } finally {
    clearTimeout(timer);
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function tooSlow({ name }: ObjectSource, digest: string, size: number, limitMs: number): Error {
  const seconds = Math.ceil(limitMs / 1000);
  return bundleError('source-slow', `The ${name} did not send ${digest.slice(0, 12)} (${size} bytes) in ${seconds} s.`);
}
