// A line that breaks again and again, and what goes over it in the end.
import { hasCode } from '../signing/index.ts';

/** An attempt that brings less than this, and less than this share of what is missing, is fruitless. */
const LEAST_BYTES = 16 * 1024;
const LEAST_SHARE = 0.01;

export interface Breaks {
  /** Bytes that are here for good: no attempt asks for them again. */
  readonly kept: () => number;
  /** The most bytes that there may be. */
  readonly size: number;
  /** So many fruitless attempts in a row are one too many. */
  readonly mostFruitless: number;
  readonly signal: AbortSignal;
}

/** Tries again behind each break for as long as attempts bring something. @throws what the last attempt threw */
export async function acrossBreaks<T>(breaks: Breaks, attempt: () => Promise<T>): Promise<T> {
  const { kept, size, mostFruitless, signal } = breaks;
  let fruitless = 0;
  for (;;) {
    const before = kept();
    const least = Math.min(LEAST_BYTES, LEAST_SHARE * (size - before));
    try {
      return await attempt();
    } catch (error) {
      const isBreak = hasCode(error, 'feed-unreachable') && !signal.aborted;
      fruitless = kept() > before && kept() - before >= least ? 0 : fruitless + 1;
      if (!isBreak || fruitless >= mostFruitless) throw error;
    }
  }
}
