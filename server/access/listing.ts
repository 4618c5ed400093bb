// Lists of this room are in the order of their making; a page goes on after the instant and the id where the last one ended.
import { type Expression, type SqlBool, sql } from 'kysely';
import { z } from 'zod';
import { serverError } from '../errors.ts';
import { type Cursor, readCursor } from '../http/paging.ts';

/** Of everything in this room that has one. */
export const idSchema = z.string().regex(/^[\w-]{1,64}$/);

const cursorSchema = z.object({ at: z.iso.datetime(), id: idSchema });

export interface PageWanted {
  readonly limit: number;
  readonly cursor: Cursor | undefined;
}

/** @throws `request-invalid` for a cursor that is none of these lists */
export function pageWanted({ limit, cursor }: { limit: number; cursor?: string | undefined }): PageWanted {
  const after = readCursor(cursor);
  if (after && !cursorSchema.safeParse(after).success) {
    throw serverError('request-invalid', 'The cursor is none of this list.');
  }
  return { limit, cursor: after };
}

/** What comes after the cursor, by two columns; everything where there is none. */
export function beyond(at: string, id: string, order: '<' | '>', cursor: Cursor | undefined): Expression<SqlBool> {
  if (!cursor) return sql<boolean>`true`;
  return sql<boolean>`(${sql.ref(at)}, ${sql.ref(id)}) ${sql.raw(order)} (${cursor.at}::timestamptz, ${cursor.id})`;
}
