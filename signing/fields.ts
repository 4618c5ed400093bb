// Reads one field of metadata and says which one was wrong. Every reader throws a TypeError; whoever parses the file makes
// it an error of the product.

export type Fields = Readonly<Record<string, unknown>>;

export function object(value: unknown, name: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError(`${name} is no object`);
  return value as Fields;
}

/** A Map, so that `__proto__` is a name like any other. */
export function entries<T>(record: Fields, read: (value: unknown, name: string) => T): ReadonlyMap<string, T> {
  const map = new Map<string, T>();
  for (const name of Object.keys(record)) map.set(name, read(record[name], name));
  return map;
}

export function list(value: unknown, name: string, most: number): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError(`${name} is no list`);
  if (value.length > most) throw new TypeError(`${name} has more than ${most} entries`);
  return value;
}

export function text(value: unknown, name: string): string {
  if (typeof value !== 'string') throw new TypeError(`${name} is no text`);
  return value;
}

export function flag(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw new TypeError(`${name} is neither true nor false`);
  return value;
}

/** An integer of at least 1. */
export function positive(value: unknown, name: string): number {
  const number = size(value, name);
  if (number < 1) throw new TypeError(`${name} is not positive`);
  return number;
}

/** An integer of at least 0. */
export function size(value: unknown, name: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new TypeError(`${name} is no size`);
  return value as number;
}

/** A date as TUF writes it, in milliseconds since 1970. */
export function date(value: unknown, name: string): number {
  const iso = text(value, name);
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(iso) ? Date.parse(iso) : Number.NaN;
  if (Number.isNaN(ms)) throw new TypeError(`${name} is not a UTC date: ${iso.slice(0, 40)}`);
  return ms;
}
