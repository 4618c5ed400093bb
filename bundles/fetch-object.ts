// One object from one source, in the time that it may take, over a line that may break: what has arrived is kept, and the rest is
// asked for, from this source or from the next one.
import { acrossBreaks } from './breaks.ts';
import type { Fragment } from './fragment.ts';
import { FragmentStore } from './fragment-store.ts';
import { keepPace, mostMs, type Pace, SLOWEST, type Watch } from './pace.ts';
import type { ObjectSource } from './source.ts';
import { isIntact, requireIntact } from './store/verify.ts';

export interface FetchOptions {
  readonly slowest?: Pace | undefined;
  /** Where what arrives is kept; without one, nothing outlives this call. */
  readonly fragments?: FragmentStore | undefined;
  /** Ends the wait early; its reason is thrown. */
  readonly stop?: AbortSignal | undefined;
}

export interface Fetched {
  /** Verified. The fragment is still kept: who has stored them removes it. */
  readonly bytes: Buffer;
  /** Other sources, whose part of it was wrong. */
  readonly liars: readonly ObjectSource[];
}

/**
 * Fetches an object of `size` bytes and verifies it by its name. A source that does not listen to its signal is left behind.
 *
 * Parts of several sources may be joined. When the whole is wrong, and not all of it is this source's word, it is fetched once more
 * from this source alone.
 * @throws `source-slow`, `object-corrupt` when this source is to blame, the reason of `stop`, and what the source throws
 */
export async function fetchObject(
  source: ObjectSource,
  digest: string,
  size: number,
  { slowest = SLOWEST, fragments = new FragmentStore(), stop }: FetchOptions = {},
): Promise<Fetched> {
  const fragment = await fragments.open(digest, size);
  const what = `${digest.slice(0, 12)} (${size} bytes)`;
  const limits = { pace: slowest, wholeMs: mostMs(slowest, size), from: source.name, what, stop };
  const stopSaving = fragments.saveOften(fragment);
  try {
    const bytes = await keepPace(limits, watch => intact(source, fragment, watch));
    return { bytes, liars: fragment.liars(bytes) };
  } catch (error) {
    await fragments.save(fragment);
    throw error;
  } finally {
    stopSaving();
  }
}

async function intact(source: ObjectSource, fragment: Fragment, watch: Watch): Promise<Buffer> {
  const { digest, size } = fragment;
  for (;;) {
    const bytes = fragment.received === size ? fragment.bytes : await rest(source, fragment, watch);
    if (isIntact(digest, bytes)) return bytes;
    const isItsWord = fragment.isAllFrom(source);
    fragment.distrust();
    if (isItsWord) return requireIntact(digest, bytes);
  }
}

/** Only what a source has sent behind what was here counts: one that begins anew each time is not asked again and again. */
async function rest(source: ObjectSource, fragment: Fragment, watch: Watch): Promise<Buffer> {
  const { digest, size, received } = fragment;
  let kept = received;
  return acrossBreaks({ kept: () => kept, size, mostFruitless: 1, signal: watch.signal }, async () => {
    const attempt = fragment.attempt(source, watch);
    try {
      const bytes = await source.object(digest, size, attempt);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    } finally {
      if (attempt.wentOn) kept = Math.max(kept, fragment.received);
    }
  });
}
