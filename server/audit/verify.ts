// Verifies an exported audit log, offline: a pure function of the lines, which finds what was altered, removed, inserted or put
// in another order. That the end was cut off, or everything written anew, shows only against a head that somebody has kept.
import { parseStrictJson } from '../../signing/index.ts';
import { type ChainedEntry, chainedEntrySchema, entryHash, GENESIS, type Head } from './chain.ts';

/** A broken log may be broken everywhere; the first findings say where to look. */
const MOST_FINDINGS = 100;

export type FindingKind =
  /** No line of an export: not JSON, fields missing or too many. */
  | 'unreadable'
  /** Its content has another hash than it says. */
  | 'altered'
  /** It follows another entry than the one before it. */
  | 'unlinked'
  /** Numbers are missing. */
  | 'removed'
  /** It stands behind a later one. */
  | 'reordered'
  /** Its number is taken by another line. */
  | 'inserted'
  /** It is of another organization than the first line. */
  | 'foreign'
  /** The log ends before the head that was kept. */
  | 'cut'
  /** The entry of the head's number is another one than when the head was kept. */
  | 'rewritten';

export interface Finding {
  readonly kind: FindingKind;
  /** From 1; undefined for what is about the whole. */
  readonly line: number | undefined;
  readonly text: string;
}

export interface Verdict {
  readonly findings: readonly Finding[];
  readonly entries: number;
  /** Where the log ends: to be kept, and given to the next verification. Undefined for a log that nothing can be read of. */
  readonly head: Head | undefined;
}

/**
 * Verifies the lines of a whole export, in one pass and in little memory.
 *
 * @param known a head that was kept: the log has to hold it, and may go on after it
 * @returns no findings for a chain that is whole from its first entry on
 */
export async function verifyAuditExport(
  lines: Iterable<string> | AsyncIterable<string>,
  known: { readonly head?: Head } = {},
): Promise<Verdict> {
  const walk = new Walk(known.head);
  let line = 0;
  for await (const text of lines) {
    line++;
    if (text.trim() === '') continue;
    const entry = readEntry(text);
    if (entry) walk.take(entry, line);
    else walk.unreadable(line);
  }
  return walk.end();
}

function readEntry(text: string): ChainedEntry | undefined {
  try {
    return chainedEntrySchema.parse(parseStrictJson(Buffer.from(text)));
  } catch {
    return undefined;
  }
}

/** What is known between two lines. */
class Walk {
  readonly #known: Head | undefined;
  readonly #findings: Finding[] = [];
  #organization: string | undefined;
  #entries = 0;
  #expected = 1;
  #previous = GENESIS;
  /** Numbers that were passed over, as ranges of first and last: they may still come, out of order. Bounded as findings are. */
  #missing: readonly (readonly [number, number])[] = [];

  constructor(known: Head | undefined) {
    this.#known = known;
    this.#organization = known?.organization;
  }

  unreadable(line: number): void {
    this.#find('unreadable', line, 'this is no entry of an audit log');
  }

  take(entry: ChainedEntry, line: number): void {
    this.#organization ??= entry.organization;
    const { hash, ...content } = entry;
    const { number } = entry;
    if (entry.organization !== this.#organization) {
      return this.#find('foreign', line, `entry ${number} is of the organization ${entry.organization}`);
    }
    this.#entries++;
    if (entryHash(content) !== hash) this.#find('altered', line, `entry ${number} is not what was hashed`);
    this.#compareWithHead(entry, line);
    if (number < this.#expected) return this.#late(number, line);
    if (number > this.#expected) this.#miss(this.#expected, number - 1);
    else if (entry.previous !== this.#previous) {
      this.#find('unlinked', line, `entry ${number} does not follow the entry before it`);
    }
    this.#expected = number + 1;
    this.#previous = hash;
  }

  end(): Verdict {
    for (const [first, last] of this.#missing) {
      const what = first === last ? `entry ${first} is` : `entries ${first} to ${last} are`;
      this.#find('removed', undefined, `${what} missing`);
    }
    const number = this.#expected - 1;
    if (this.#known && this.#known.number > number) {
      this.#find('cut', undefined, `the log ends with entry ${number}; entry ${this.#known.number} was known`);
    }
    const organization = this.#organization;
    const head = organization === undefined ? undefined : { organization, number, hash: this.#previous };
    return { findings: this.#findings, entries: this.#entries, head };
  }

  #miss(first: number, last: number): void {
    if (this.#missing.length < MOST_FINDINGS) this.#missing = [...this.#missing, [first, last]];
  }

  /** An entry whose number has been passed already. */
  #late(number: number, line: number): void {
    const range = this.#missing.find(([first, last]) => first <= number && number <= last);
    if (!range) return this.#find('inserted', line, `there is an entry ${number} already`);
    const [first, last] = range;
    const left: (readonly [number, number])[] = [
      [first, number - 1],
      [number + 1, last],
    ];
    this.#missing = [...this.#missing.filter(other => other !== range), ...left.filter(([from, to]) => from <= to)];
    this.#find('reordered', line, `entry ${number} stands behind later ones`);
  }

  #compareWithHead({ number, hash }: ChainedEntry, line: number): void {
    if (this.#known?.number !== number || this.#known.hash === hash) return;
    this.#find('rewritten', line, `entry ${number} is another one than when its head was kept`);
  }

  #find(kind: FindingKind, line: number | undefined, text: string): void {
    if (this.#findings.length < MOST_FINDINGS) this.#findings.push({ kind, line, text });
  }
}
