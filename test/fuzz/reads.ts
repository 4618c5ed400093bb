// A document that was damaged: refused with its code, or read as what it says.
import assert from 'node:assert/strict';
import type { z } from 'zod';
import { parseDocument } from '../../bundles/index.ts';
import { damagedJson, jsonText } from './edits.ts';
import { accepted, fuzz } from './fuzz.ts';

/** A document of a signed repository or of the feed. */
export function reads<T>(
  what: string,
  share: number,
  schema: z.ZodType<T>,
  valid: object,
  check: (value: T) => void,
): void {
  fuzz(`${what} that was damaged is refused, or says what it may`, share, jsonText, async damage => {
    const bytes = damagedJson(valid, damage);
    const document = await accepted(() => parseDocument(schema, bytes, what), 'document-invalid');
    if (document === undefined) return;
    check(document);
    assert.deepEqual(parseDocument(schema, Buffer.from(JSON.stringify(document)), what), document);
  });
}
