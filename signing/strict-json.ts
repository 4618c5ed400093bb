// JSON that means one thing only. `JSON.parse` takes the last of two equal keys, rounds large numbers, and lets a lone
// surrogate through: two readers could see two documents under one signature. This looks at the text first.

/** Deeper than any metadata is; a parser or a hasher that recurses must not run out of stack. */
const MOST_DEPTH = 32;

/**
 * Parses UTF-8 JSON.
 *
 * @throws SyntaxError for anything that is no JSON, and TypeError for duplicate keys, more than 32 levels, numbers that are no
 * safe integers, lone surrogates, and a byte order mark
 */
export function parseStrictJson(bytes: Uint8Array): unknown {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  const value: unknown = JSON.parse(text);
  new Scan(text).run();
  return value;
}

/** One pass over text that is known to be JSON. */
class Scan {
  readonly #text: string;
  #at = 0;
  /** Keys seen in each object that is open; undefined for a list. */
  readonly #open: (Set<string> | undefined)[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  run(): void {
    const text = this.#text;
    while (this.#at < text.length) {
      switch (text[this.#at]) {
        case '{':
          this.#enter(new Set());
          break;
        case '[':
          this.#enter(undefined);
          break;
        case '}':
        case ']':
          this.#open.pop();
          this.#at++;
          break;
        case '"':
          this.#string();
          break;
        case '-':
        case '0':
        case '1':
        case '2':
        case '3':
        case '4':
        case '5':
        case '6':
        case '7':
        case '8':
        case '9':
          this.#number();
          break;
        default:
          this.#at++; // white space, punctuation, and the letters of true, false and null
      }
    }
  }

  #enter(keys: Set<string> | undefined): void {
    if (this.#open.push(keys) > MOST_DEPTH) throw new TypeError(`more than ${MOST_DEPTH} levels`);
    this.#at++;
  }

  #string(): void {
    const start = this.#at;
    const end = this.#endOfString(start);
    this.#at = end;
    const raw = this.#text.slice(start, end);
    const value = raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1);
    if (!value.isWellFormed()) throw new TypeError('half of a surrogate pair');
    const keys = this.#open.at(-1);
    if (!keys || !this.#isKey()) return;
    if (keys.has(value)) throw new TypeError(`the key ${JSON.stringify(value.slice(0, 64))} comes twice`);
    keys.add(value);
  }

  /** In an object, a text before a colon is a key. */
  #isKey(): boolean {
    let at = this.#at;
    while (' \t\r\n'.includes(this.#text[at] ?? '!')) at++;
    return this.#text[at] === ':';
  }

  #endOfString(start: number): number {
    for (let at = start + 1; ; ) {
      const quote = this.#text.indexOf('"', at);
      let backslashes = 0;
      while (this.#text[quote - 1 - backslashes] === '\\') backslashes++;
      if (backslashes % 2 === 0) return quote + 1;
      at = quote + 1;
    }
  }

  /** Only integers, written in one way: canonical JSON knows no others. */
  #number(): void {
    const start = this.#at;
    while ('+-.0123456789eE'.includes(this.#text[this.#at] ?? '!')) this.#at++;
    const raw = this.#text.slice(start, this.#at);
    if (!/^(0|-?[1-9]\d*)$/.test(raw) || !Number.isSafeInteger(Number(raw))) {
      throw new TypeError(`the number ${raw.slice(0, 32)} is no safe integer`);
    }
  }
}
