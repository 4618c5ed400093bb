// What has arrived of an object, from its first byte on, and who sent which part of it. Parts of several sources may be joined,
// because the object's name is its digest. When the whole is not what its name says and more than one had a hand in it, nobody is
// blamed yet: the parts are remembered by their digests, and held against the object when it has come from one source alone.
import { sha256Hex } from '../signing/index.ts';
import type { Watch } from './pace.ts';
import type { ObjectSource, Transfer } from './source.ts';

/** A part that begins where the one before it ends. */
interface Share {
  /** Undefined for what an earlier run of this process left on the disk. */
  readonly source: ObjectSource | undefined;
  end: number;
}

interface Suspect {
  readonly source: ObjectSource;
  readonly start: number;
  readonly end: number;
  readonly sha256: string;
}

/** An attempt to bring the rest of it. */
export interface Attempt extends Transfer {
  /** Whether the source sent what it was asked for, or began anew. */
  readonly wentOn: boolean;
}

export class Fragment {
  readonly digest: string;
  readonly size: number;
  readonly #bytes: Buffer;
  #received = 0;
  #shares: Share[] = [];
  readonly #suspects: Suspect[] = [];
  #tag: { readonly source: ObjectSource; readonly etag: string } | undefined;
  #attempt: Attempt | undefined;
  /** Nothing before it has changed since it was last saved. */
  #intactTo = 0;

  /** @param known what an earlier run has left of it */
  constructor(digest: string, size: number, known?: Uint8Array) {
    this.digest = digest;
    this.size = size;
    this.#bytes = Buffer.allocUnsafeSlow(size);
    if (!known) return;
    this.#bytes.set(known);
    this.#received = known.length;
    this.#intactTo = known.length;
    this.#shares.push({ source: undefined, end: known.length });
  }

  get received(): number {
    return this.#received;
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#received);
  }

  /** Begins an attempt; one that was left behind can no longer add anything. */
  attempt(source: ObjectSource, watch: Watch): Attempt {
    let at = 0;
    let wentOn = true;
    const current = () => {
      if (this.#attempt !== attempt) throw new Error('nobody waits for this transfer any more');
    };
    const attempt: Attempt = {
      signal: watch.signal,
      get wentOn() {
        return wentOn;
      },
      ask: () => {
        watch.asked();
        return { from: this.#received, etag: this.#tag?.source === source ? this.#tag.etag : undefined };
      },
      begin: (start, etag) => {
        current();
        if (start !== 0 && start !== this.#received) throw new Error(`byte ${start} does not follow what is here`);
        wentOn = start === this.#received;
        at = start;
        this.#tag = etag === undefined ? undefined : { source, etag };
      },
      take: part => {
        current();
        watch.arrived(part.length);
        this.#write(source, part, at);
        at += part.length;
      },
      joined: () => this.bytes,
    };
    this.#attempt = attempt;
    return attempt;
  }

  /** Whether all of it is this source's word. */
  isAllFrom(source: ObjectSource): boolean {
    return this.#shares.every(share => share.source === source);
  }

  /** Throws it away, and remembers who sent what. */
  distrust(): void {
    this.#suspects.push(...this.#asSuspects());
    this.#cut(0, undefined);
  }

  /** Those who sent something else than what belongs there, now that all of it is known. */
  liars(truth: Uint8Array): readonly ObjectSource[] {
    const others = truth.buffer === this.#bytes.buffer ? [] : this.#asSuspects();
    const wrong = [...this.#suspects, ...others].filter(
      ({ start, end, sha256 }) => sha256Hex(truth.subarray(start, end)) !== sha256,
    );
    return [...new Set(wrong.map(({ source }) => source))];
  }

  /** What has to be saved, and at which place; it counts as saved from now on. */
  takeUnsaved(): { readonly at: number; readonly bytes: Buffer } {
    const at = this.#intactTo;
    this.#intactTo = this.#received;
    return { at, bytes: this.#bytes.subarray(at, this.#received) };
  }

  /** What is here already is compared: a source that sends the same again vouches for it, one that differs stands for itself. */
  #write(source: ObjectSource, part: Uint8Array, at: number): void {
    if (at + part.length > this.size) throw new Error(`more than the ${this.size} bytes of ${this.digest}`);
    const known = Math.max(0, Math.min(part.length, this.#received - at));
    const isSame = this.#bytes.subarray(at, at + known).equals(part.subarray(0, known));
    if (!isSame) {
      this.#suspects.push(...this.#asSuspects());
      this.#cut(at, source);
    } else if (known > 0 && at + known === this.#received) {
      this.#shares = [{ source, end: this.#received }];
    }
    this.#append(source, part.subarray(this.#received - at));
  }

  #append(source: ObjectSource, part: Uint8Array): void {
    if (part.length === 0) return;
    this.#bytes.set(part, this.#received);
    this.#received += part.length;
    const last = this.#shares.at(-1);
    if (last?.source === source) last.end = this.#received;
    else this.#shares.push({ source, end: this.#received });
  }

  /** Keeps what is before `end`, as `source` has sent it too. */
  #cut(end: number, source: ObjectSource | undefined): void {
    this.#received = end;
    this.#shares = end === 0 ? [] : [{ source, end }];
    this.#intactTo = Math.min(this.#intactTo, end);
  }

  #asSuspects(): Suspect[] {
    return this.#shares.flatMap(({ source, end }, i) => {
      const start = this.#shares[i - 1]?.end ?? 0;
      return source ? [{ source, start, end, sha256: sha256Hex(this.#bytes.subarray(start, end)) }] : [];
    });
  }
}
