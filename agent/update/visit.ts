// Everything small that one source sends in one visit: metadata, signed documents, keys. Each answer has to keep its pace, and all
// of them together have to keep one too, so that many slow answers are no way to hold a site up.
import { acrossBreaks, keepPace, mostMs, type Pace, SLOWEST, type Transfer, type Watch } from '../../bundles/index.ts';
import { download } from './download.ts';
import type { Sender } from './sender.ts';

/** How many times as long as one answer all of them may take: dozens, of a few kilobytes each. */
const WHOLE_GRACE = 2;
/** Attempts for one answer that bring next to nothing: a short break of the network is no reason to give a source up. */
const MOST_FRUITLESS = 3;

export class Visit {
  readonly #sender: Sender;
  readonly #slowest: Pace;
  #spentMs = 0;
  #arrivedBytes = 0;

  constructor(sender: Sender, slowest: Pace = SLOWEST) {
    this.#sender = sender;
    this.#slowest = slowest;
  }

  /**
   * A whole answer, undefined where there is none. An answer that breaks is read on where it broke, when the source can.
   *
   * @throws `source-slow`, `feed-unreachable`, `feed-too-large`, `feed-failed`, and what the sender throws
   */
  read(path: string, maxBytes: number): Promise<Buffer | undefined> {
    return this.spend(path, maxBytes, watch => {
      const answer = new Answer(watch);
      const { signal } = watch;
      const breaks = { kept: () => answer.kept, size: maxBytes, mostFruitless: MOST_FRUITLESS, signal };
      return acrossBreaks(breaks, async () => {
        return (await download(this.#sender, path, maxBytes, answer)) ? answer.joined() : undefined;
      });
    });
  }

  /** Does work that counts as a part of this visit. */
  async spend<T>(what: string, maxBytes: number, work: (watch: Watch) => Promise<T>): Promise<T> {
    const pace = this.#slowest;
    const whole = { ...pace, graceMs: WHOLE_GRACE * pace.graceMs };
    const wholeMs = Math.max(0, mostMs(whole, this.#arrivedBytes + maxBytes) - this.#spentMs);
    const begunMs = performance.now();
    const arrived = (watch: Watch) => (bytes: number) => {
      this.#arrivedBytes += bytes;
      watch.arrived(bytes);
    };
    try {
      const limits = { pace, wholeMs, from: this.#sender.name, what };
      return await keepPace(limits, watch => work({ ...watch, arrived: arrived(watch) }));
    } finally {
      this.#spentMs += performance.now() - begunMs;
    }
  }
}

/** An answer in memory. Only under the same strong ETag is a later part known to be of the same file. */
class Answer implements Transfer {
  readonly signal: AbortSignal;
  readonly #watch: Watch;
  #parts: Uint8Array[] = [];
  #length = 0;
  #etag: string | undefined;
  #wentOn = true;
  /** The most that has been here while nothing was asked for twice. */
  kept = 0;

  constructor(watch: Watch) {
    this.#watch = watch;
    this.signal = watch.signal;
  }

  ask() {
    this.#watch.asked();
    return { from: this.#etag === undefined ? 0 : this.#length, etag: this.#etag };
  }

  begin(start: number, etag: string | undefined): void {
    this.#wentOn = start === this.#length;
    this.#etag = etag;
    if (start > 0) return;
    this.#parts = [];
    this.#length = 0;
  }

  take(part: Uint8Array): void {
    this.#watch.arrived(part.length);
    this.#parts.push(part);
    this.#length += part.length;
    if (this.#wentOn) this.kept = Math.max(this.kept, this.#length);
  }

  joined(): Buffer {
    return Buffer.concat(this.#parts, this.#length);
  }
}
