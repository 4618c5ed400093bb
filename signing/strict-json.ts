// JSON that means one thing only. `JSON.parse` takes the last of two equal keys, rounds large numbers, and lets a lone
// surrogate through: two readers could see two documents under one signature. This looks at the bytes as well.

/** Deeper than any metadata is; a parser or a hasher that recurses must not run out of stack. */
const MOST_DEPTH = 32;

/**
 * Parses UTF-8 JSON, in time linear in its size.
 *
 * @throws SyntaxError for anything that is no JSON, and TypeError for duplicate keys, more than 32 levels, numbers that are no
 * safe integers, lone surrogates, and a byte order mark
 */
export function parseStrictJson(bytes: Uint8Array): unknown {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  const value: unknown = JSON.parse(text);
  // `JSON.parse` has lost one of two equal keys: what is written and what was read differ in number.
  if (keysWritten(bytes) !== keysRead(value)) throw new TypeError('a key comes twice in one object');
  return value;
}

/** One pass over bytes that are known to be JSON; counts the keys. */
function keysWritten(bytes: Uint8Array): number {
  let keys = 0;
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === BYTE.quote) at = endOfString(bytes, at);
    else if (byte === BYTE.colon) keys++;
    else if (byte === BYTE.brace || byte === BYTE.bracket) {
      if (++depth > MOST_DEPTH) throw new TypeError(`more than ${MOST_DEPTH} levels`);
    } else if (byte === BYTE.endBrace || byte === BYTE.endBracket) depth--;
    else if (byte === BYTE.minus || isDigit(byte)) at = endOfNumber(bytes, at);
    // Else white space, a comma, or a letter of true, false and null.
  }
  return keys;
}

function keysRead(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let keys = 0;
  if (Array.isArray(value)) {
    for (const item of value) keys += keysRead(item);
  } else {
    for (const key of Object.keys(value)) keys += 1 + keysRead((value as Readonly<Record<string, unknown>>)[key]);
  }
  return keys;
}

/** Where the string ends that starts at `start`. Only an escape can bring half of a surrogate pair: UTF-8 cannot. */
function endOfString(bytes: Uint8Array, start: number): number {
  let escapes = false;
  let at = start + 1;
  for (; bytes[at] !== BYTE.quote; at++) {
    if (bytes[at] !== BYTE.backslash) continue;
    escapes = true;
    at++;
  }
  if (escapes && !(JSON.parse(textOf(bytes, start, at)) as string).isWellFormed()) {
    throw new TypeError('half of a surrogate pair');
  }
  return at;
}

/** Where the number ends that starts at `start`. Only integers, written in one way: canonical JSON knows no others. */
function endOfNumber(bytes: Uint8Array, start: number): number {
  let end = start;
  while (isDigit(bytes[end + 1])) end++;
  // Up to 15 digits are safe; most numbers need no closer look.
  const isPlain = end - start < 15 && isDigit(bytes[start]) && (bytes[start] !== BYTE.zero || end === start);
  if (isPlain && !isInNumber(bytes[end + 1])) return end;
  while (isInNumber(bytes[end + 1])) end++;
  const raw = textOf(bytes, start, end);
  if (!/^(0|-?[1-9]\d*)$/.test(raw) || !Number.isSafeInteger(Number(raw))) {
    throw new TypeError(`the number ${raw.slice(0, 32)} is no safe integer`);
  }
  return end;
}

const BYTE = {
  quote: 0x22,
  minus: 0x2d,
  zero: 0x30,
  nine: 0x39,
  colon: 0x3a,
  bracket: 0x5b,
  backslash: 0x5c,
  endBracket: 0x5d,
  brace: 0x7b,
  endBrace: 0x7d,
} as const;

const NUMBER_SIGNS: ReadonlySet<number> = new Set(Buffer.from('+-.eE'));

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= BYTE.zero && byte <= BYTE.nine;
}

/** What a number may hold besides: a sign, a point, an exponent. */
function isInNumber(byte: number | undefined): boolean {
  return isDigit(byte) || (byte !== undefined && NUMBER_SIGNS.has(byte));
}

function textOf(bytes: Uint8Array, start: number, last: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, last + 1 - start).toString();
}
