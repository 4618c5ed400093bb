// Takes secrets out of what leaves this site. What the site's own secrets are is known, and they are looked for in every form that
// they are written in; what looks like a secret of others goes as well, and a long word too many is no loss. Pure.

const REMOVED = '[removed]';
/** Shorter ones would take ordinary words along. */
const SHORTEST_SECRET = 8;
/** In names of fields, of options, of variables. */
const TELLING =
  'pass(?:word|wd|phrase)|secret|token|api[-_]?key|private[-_]?key|psk|credential|authorization|cookie|session[-_]?id';
const TELLING_NAME = new RegExp(TELLING, 'i');
/** Bounded, as everything below: a log may hold lines of megabytes. */
const NAMED = `[\\w-]{0,100}?(?:${TELLING})[\\w-]{0,40}`;
const BASE64 = '[A-Za-z0-9+/=]';
const BREAK = '(?:\\\\[nr]|\\s){1,4}';
const PEM_END = '-----END [^-]{0,40}PRIVATE KEY-----';

interface Pattern {
  readonly pattern: RegExp;
  /** What stays. */
  readonly kept: string;
}

/** In this order: the first ones know best how far a secret goes. */
const OVER_LINES: readonly Pattern[] = [
  { pattern: new RegExp(`-----BEGIN [^-]{0,40}PRIVATE KEY-----[^]{0,20000}?${PEM_END}`, 'g'), kept: '' },
  { pattern: /-----BEGIN [^-]{0,40}PRIVATE KEY-----(?:[A-Za-z0-9+/=\s]|\\[nr])*/g, kept: '' },
  // Of a log that was cut in the middle of one.
  {
    pattern: new RegExp(`(?<!${BASE64})(?:${BASE64}{40,76}${BREAK}){0,200}${BASE64}{1,76}${BREAK}${PEM_END}`, 'g'),
    kept: '',
  },
];
const IN_A_LINE: readonly Pattern[] = [
  { pattern: /\b(authorization\W{1,6}(?:basic|digest|negotiate)\s{1,3})[^\s"',]+/gi, kept: '$1' },
  { pattern: /\b(bearer\s{1,3})[\w.~+/=-]{8,}/gi, kept: '$1' },
  { pattern: /\beyJ[\w-]{8,}\.[\w-]{2,}\.[\w-]*/g, kept: '' },
  { pattern: /\b(?:rlv|rlo|whsec|ghp|glpat|sk|xox[abp])[_-][\w+/=-]{10,}/g, kept: '' },
  { pattern: /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g, kept: '' },
  { pattern: /(:\/\/)[^\s/"'@]{1,400}(?=@)/g, kept: '$1' },
  { pattern: new RegExp(`(?<![\\w-])(--?${NAMED}\\s{1,3})(?!\\[removed\\])\\S+`, 'gi'), kept: '$1' },
  {
    pattern: new RegExp(
      `(?<![\\w-])(${NAMED}\\\\*["']?\\s{0,3}[=:]\\s{0,3})(?:\\\\*["'][^"'\\n]{1,4000}["']|(?!\\[removed\\])[^\\s"',;&}\\\\]+)`,
      'gi',
    ),
    kept: '$1',
  },
  // Words that nobody writes by hand. Digests are spared: they are of one case.
  { pattern: /(?<![\w+/-])(?=[\w+/-]*[a-z])(?=[\w+/-]*[A-Z])(?=[\w+/-]*[0-9])[\w+/-]{40,}={0,2}/g, kept: '' },
];

/** What is left, and how many secrets were taken out. */
export interface Redacted {
  readonly text: string;
  readonly removed: number;
}

export interface Redactor {
  /** As JSON that is fit to read. */
  json(value: unknown): Redacted;
  /** A log: lines of JSON, or of text, or both. */
  log(text: string): Redacted;
}

/** @param secrets as they are written, in every form */
export function redactor(secrets: Iterable<string>): Redactor {
  const known = [...new Set(secrets)].filter(secret => secret.length >= SHORTEST_SECRET);
  // The longest first: one may be the beginning of another.
  const needles = known.sort((a, b) => b.length - a.length).map(literal);
  const own = needles.length === 0 ? [] : [{ pattern: new RegExp(needles.join('|'), 'gi'), kept: '' }];
  return {
    json: value => {
      const count = { removed: 0 };
      const clean = cleaned(value, text => without(text, [...own, ...OVER_LINES, ...IN_A_LINE], count), count);
      return { text: `${JSON.stringify(clean, null, 2) ?? 'null'}\n`, ...count };
    },
    log: text => {
      const count = { removed: 0 };
      const lines = without(text, [...own, ...OVER_LINES], count).split('\n');
      const line = (words: string) => without(words, [...own, ...IN_A_LINE], count);
      const clean = lines.map(words => {
        const entry = jsonObject(words);
        return entry ? JSON.stringify(cleaned(entry, line, count)) : line(words);
      });
      return { text: clean.join('\n'), ...count };
    },
  };
}

function without(text: string, patterns: readonly Pattern[], count: { removed: number }): string {
  return patterns.reduce((left, { pattern, kept }) => {
    if (!pattern.test(left)) return left;
    count.removed += left.match(pattern)?.length ?? 0;
    return left.replace(pattern, `${kept}${REMOVED}`);
  }, text);
}

/** The same value: what has a telling name is gone whole, every other text is cleaned. */
function cleaned(value: unknown, clean: (text: string) => string, count: { removed: number }): unknown {
  if (typeof value === 'string') return clean(value);
  if (Array.isArray(value)) return value.map(item => cleaned(item, clean, count));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, inner]) => {
    if (!TELLING_NAME.test(name) || inner === null || typeof inner === 'boolean') {
      return [clean(name), cleaned(inner, clean, count)];
    }
    count.removed++;
    return [clean(name), REMOVED];
  });
  return Object.fromEntries(entries);
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

function jsonObject(line: string): object | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as object;
  } catch {
    return undefined;
  }
}
