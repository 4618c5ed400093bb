// So many calls a second for each caller, in each process: a token bucket. What is above is refused with the time to wait.
import type { Response } from 'express';
import { serverError } from '../errors.ts';

export interface RateOptions {
  readonly perSecond: number;
  /** Calls that may come at once after a pause. */
  readonly burst: number;
  /** Milliseconds since 1970. */
  now(): number;
}

/** Callers that are remembered; beyond, the one that was quiet longest is forgotten, which only gives it a full bucket. */
const MOST_CALLERS = 100_000;

export class RateLimiter {
  readonly #options: RateOptions;
  /** Calls left and when that was, by caller. The order is that of the last call. */
  readonly #buckets = new Map<string, { left: number; at: number }>();

  constructor(options: RateOptions) {
    this.#options = options;
  }

  /** Counts a call. @throws `too-many-requests`, with `Retry-After` on the response */
  take(caller: string, response: Response): void {
    const { perSecond, burst, now } = this.#options;
    const at = now();
    const bucket = this.#buckets.get(caller) ?? { left: burst, at };
    const left = Math.min(burst, bucket.left + ((at - bucket.at) / 1000) * perSecond);
    this.#buckets.delete(caller);
    this.#buckets.set(caller, { left: Math.max(0, left - 1), at });
    if (this.#buckets.size > MOST_CALLERS) this.#buckets.delete(this.#buckets.keys().next().value as string);
    if (left >= 1) return;
    response.setHeader('retry-after', Math.ceil((1 - left) / perSecond));
    throw serverError('too-many-requests', `More than ${perSecond} calls a second.`);
  }
}
