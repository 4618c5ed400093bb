// Versions: their order (semver.org 2.0.0, section 11) and ranges of them, as upgrade graphs name them.
import { z } from 'zod';
import { versionSchema } from './release.ts';

/** A version, taken apart once. */
export interface Version {
  readonly text: string;
  readonly numbers: readonly number[];
  /** Identifiers after the hyphen; none for a version that is finished. */
  readonly suffix: readonly string[];
}

/** Takes a version apart; undefined for anything that is none. */
export function parseVersion(text: string): Version | undefined {
  if (!versionSchema.safeParse(text).success) return undefined;
  const [core = '', ...suffix] = text.split('-');
  return { text, numbers: core.split('.').map(Number), suffix: suffix.length === 0 ? [] : suffix.join('-').split('.') };
}

/** Negative when `a` comes before `b`, 0 when neither does. Both are versions of releases. */
export function compareVersions(a: string, b: string): number {
  return compareParsed(required(a), required(b));
}

/** The same for versions that are taken apart. */
export function compareParsed(a: Version, b: Version): number {
  for (const [i, number] of a.numbers.entries()) {
    const order = number - (b.numbers[i] as number);
    if (order !== 0) return order;
  }
  if (a.suffix.length === 0 || b.suffix.length === 0) return b.suffix.length - a.suffix.length;
  return compareLists(a.suffix, b.suffix);
}

type Comparator = { readonly op: '<' | '<=' | '=' | '>=' | '>'; readonly version: Version };
/** Three numbers of which some may be any (undefined): names finished versions only. */
type Pattern = { readonly op: 'like'; readonly numbers: readonly (number | undefined)[] };

/** Alternatives, each a list of terms that all have to fit. */
export type Range = readonly (readonly (Comparator | Pattern)[])[];

/** Longer ones are better written as several rules. */
const MOST = { length: 256, terms: 16 } as const;

/**
 * Reads a range: `3.4.2`, `>=3.1.0 <3.4.0`, `x.0.0`, `*`, alternatives separated by `||`. Comparisons go by order alone, so that
 * `<3.4.0` includes `3.4.0-rc.1`; a pattern with `x` names versions without a suffix. Undefined for anything else.
 */
export function parseRange(text: string): Range | undefined {
  if (text.length > MOST.length) return undefined;
  const alternatives = text.split('||').map(part => part.trim().split(/\s+/));
  if (alternatives.flat().length > MOST.terms) return undefined;
  const range = alternatives.map(terms => terms.map(parseTerm));
  return range.every(terms => terms.every(term => term !== undefined)) ? (range as Range) : undefined;
}

/** A range as documents carry it: text. */
export const rangeSchema = z
  .string()
  .refine(text => parseRange(text) !== undefined, 'use a range such as 3.4.2, ">=3.1.0 <3.4.0" or x.0.0');

export function isInRange(version: Version, range: Range): boolean {
  return range.some(terms => terms.every(term => fits(version, term)));
}

/**
 * Where in `ascending` the versions of a range lie, in time that does not grow with the versions outside of it.
 *
 * @returns every index, in no order, perhaps twice
 */
export function* indexesInRange(ascending: readonly Version[], range: Range): Generator<number> {
  for (const terms of range) {
    const [start, end] = spanOf(ascending, terms);
    const patterns = terms.filter(term => term.op === 'like');
    for (let i = start; i < end; i++) {
      if (patterns.every(pattern => fits(ascending[i] as Version, pattern))) yield i;
    }
  }
}

function parseTerm(text: string): Comparator | Pattern | undefined {
  if (text === '*') return { op: '>=', version: FIRST };
  const [, op = '', rest = ''] = /^(<=|>=|<|>|=)?(.*)$/s.exec(text) ?? [];
  const version = parseVersion(rest);
  if (version) return { op: (op || '=') as Comparator['op'], version };
  if (op !== '' || !/^(x|\d{1,6})(\.(x|\d{1,6})){2}$/.test(rest)) return undefined;
  return { op: 'like', numbers: rest.split('.').map(part => (part === 'x' ? undefined : Number(part))) };
}

/** Before every other version: numbers come before words, and a list before a longer one. */
const FIRST: Version = { text: '0.0.0-0', numbers: [0, 0, 0], suffix: ['0'] };

function fits(version: Version, term: Comparator | Pattern): boolean {
  if (term.op === 'like') {
    return version.suffix.length === 0 && term.numbers.every((n, i) => n === undefined || n === version.numbers[i]);
  }
  const order = compareParsed(version, term.version);
  switch (term.op) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '=':
      return order === 0;
    case '>=':
      return order >= 0;
    case '>':
      return order > 0;
  }
}

/** The versions that fit all comparators lie side by side. */
function spanOf(ascending: readonly Version[], terms: readonly (Comparator | Pattern)[]): readonly [number, number] {
  let start = 0;
  let end = ascending.length;
  for (const term of terms) {
    if (term.op === 'like') continue;
    const [first, after] = placeOf(ascending, term.version);
    if (term.op === '>=' || term.op === '=') start = Math.max(start, first);
    if (term.op === '>') start = Math.max(start, after);
    if (term.op === '<=' || term.op === '=') end = Math.min(end, after);
    if (term.op === '<') end = Math.min(end, first);
  }
  return [start, end];
}

/** How many come before a version, and how many do not come after it. */
export function placeOf(ascending: readonly Version[], version: Version): readonly [before: number, notAfter: number] {
  const count = (isLeft: (order: number) => boolean) => {
    let [low, high] = [0, ascending.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isLeft(compareParsed(ascending[middle] as Version, version))) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return [count(order => order < 0), count(order => order <= 0)];
}

function compareLists(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compareIdentifiers(a[i] as string, b[i] as string);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareIdentifiers(a: string, b: string): number {
  const [numericA, numericB] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (numericA && numericB) return compareNumbers(a.replace(/^0+/, ''), b.replace(/^0+/, ''));
  if (numericA !== numericB) return numericA ? -1 : 1;
  return compareText(a, b);
}

/** Digits without leading zeros, also more of them than a number holds. */
function compareNumbers(a: string, b: string): number {
  return a.length - b.length || compareText(a, b);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function required(text: string): Version {
  const version = parseVersion(text);
  if (!version) throw new TypeError(`not a version: ${text}`);
  return version;
}
