// OLPC canonical JSON, the form that TUF signs (TUF 1.0.31, section 4.2.1): keys in order, no white space, and only quotes and
// backslashes escaped. Not RFC 8785. Written straight into bytes: a targets file may hold a hundred thousand entries, and texts
// that are joined and then encoded cost half as much again. A test holds it to `@tufjs/canonical-json`.

/** @throws TypeError for what canonical JSON cannot say: fractions, undefined, functions */
export function canonicalJson(value: unknown): Buffer {
  const writer = new CanonicalWriter();
  writer.value(value);
  return writer.written();
}

const FIRST_BYTES = 4096;
/** Of one UTF-16 code unit in UTF-8. */
const MOST_BYTES_PER_UNIT = 3;

class CanonicalWriter {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #length = 0;

  written(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  value(value: unknown): void {
    if (typeof value === 'string') this.#string(value);
    else if (Number.isInteger(value) || typeof value === 'boolean' || value === null) this.#text(String(value));
    else if (Array.isArray(value)) this.#list(value);
    else if (typeof value === 'object') this.#object(value as Readonly<Record<string, unknown>>);
    else throw new TypeError(`canonical JSON cannot say ${String(value)}`);
  }

  #list(items: readonly unknown[]): void {
    this.#byte(BYTE.bracket);
    for (let i = 0; i < items.length; i++) {
      if (i > 0) this.#byte(BYTE.comma);
      this.value(items[i]);
    }
    this.#byte(BYTE.endBracket);
  }

  #object(object: Readonly<Record<string, unknown>>): void {
    this.#byte(BYTE.brace);
    const keys = sortedKeys(object);
    for (let i = 0; i < keys.length; i++) {
      if (i > 0) this.#byte(BYTE.comma);
      const key = keys[i] as string;
      this.#string(key);
      this.#byte(BYTE.colon);
      this.value(object[key]);
    }
    this.#byte(BYTE.endBrace);
  }

  #string(text: string): void {
    this.#byte(BYTE.quote);
    this.#text(text.includes('"') || text.includes('\\') ? text.replace(/["\\]/g, '\\$&') : text);
    this.#byte(BYTE.quote);
  }

  #byte(byte: number): void {
    this.#makeRoom(1);
    this.#bytes[this.#length++] = byte;
  }

  #text(text: string): void {
    this.#makeRoom(text.length * MOST_BYTES_PER_UNIT);
    this.#length += this.#bytes.write(text, this.#length);
  }

  #makeRoom(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#length + bytes));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

const BYTE = {
  quote: 0x22,
  comma: 0x2c,
  colon: 0x3a,
  bracket: 0x5b,
  endBracket: 0x5d,
  brace: 0x7b,
  endBrace: 0x7d,
} as const;

/** Most objects are written in order, and to see that costs less than to sort. */
function sortedKeys(object: object): readonly string[] {
  const keys = Object.keys(object);
  for (let i = 1; i < keys.length; i++) {
    if ((keys[i - 1] as string) > (keys[i] as string)) return keys.sort();
  }
  return keys;
}
