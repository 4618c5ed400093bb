// Files by name as JSON carries them: their bytes in base64.
import { z } from 'zod';

/** Bytes in base64. */
export const base64Schema = z.base64().transform(text => Buffer.from(text, 'base64'));

/** Files whose names have at most so many characters. */
export function filesSchema(mostCharacters: number) {
  return z
    .record(z.string().min(1).max(mostCharacters), base64Schema)
    .transform(record => new Map(Object.entries(record)));
}

export function encodeFiles(files: ReadonlyMap<string, Buffer>): Readonly<Record<string, string>> {
  return Object.fromEntries([...files].map(([name, bytes]) => [name, bytes.toString('base64')]));
}
