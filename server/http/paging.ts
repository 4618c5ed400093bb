// Lists in pages: a cursor names the last item that was seen, so that pages stay right while others are added.
import type { Request } from 'express';
import { sql } from 'kysely';
import { z } from 'zod';
import { serverError } from '../errors.ts';

const MOST = 200;
const DEFAULT = 50;

/** What every list takes. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(MOST).default(DEFAULT).describe('items in a page'),
  cursor: z.string().max(1024).optional().describe('`next` of the page before'),
};

/** What a list is asked for. */
export interface PageRequest {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** The cursor of the next page; null after the last. */
  readonly next: string | null;
}

export function pageOf<T extends z.ZodType>(item: T) {
  return z.strictObject({ items: z.array(item), next: z.string().nullable() });
}

/** Where a page ends: the sort key of its last item, and its id where keys are equal. */
export interface Cursor {
  readonly at: string;
  readonly id: string;
}

/** Rows after the cursor, where the newest come first. */
export function isBefore(column: 'created_at' | 'expires_at', { at, id }: Cursor) {
  return sql<boolean>`(${sql.ref(column)}, id) < (${new Date(at)}, ${id})`;
}

/** Rows after the cursor, where they come in the order of their names. */
export function isAfterName({ at, id }: Cursor) {
  return sql<boolean>`(name, id) > (${at}, ${id})`;
}

const cursorSchema = z.tuple([z.string().max(128), z.string().max(256)]);

/** @throws `request-invalid` */
export function readCursor(text: string | undefined): Cursor | undefined {
  if (text === undefined) return undefined;
  try {
    const [at, id] = cursorSchema.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
    return { at, id };
  } catch {
    throw serverError('request-invalid', 'The cursor is none of this service.');
  }
}

/**
 * A page of rows that were read with one more than `limit`.
 *
 * @param cursorOf what the next page starts after
 */
export function page<R, T>(
  rows: readonly R[],
  limit: number,
  view: (row: R) => T,
  cursorOf: (row: R) => Cursor,
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { items: shown.map(view), next: more ? encodeCursor(cursorOf(last)) : null };
}

function encodeCursor({ at, id }: Cursor): string {
  return Buffer.from(JSON.stringify([at, id])).toString('base64url');
}

/** The address of the next page (RFC 8288). */
export function linkHeader(request: Request, next: string): string {
  const url = new URL(request.originalUrl, 'http://service');
  url.searchParams.set('cursor', next);
  return `<${url.pathname}${url.search}>; rel="next"`;
}
