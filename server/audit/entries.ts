// Reading the audit log of one organization: pages for people, lines for auditors.
import type { Selectable } from 'kysely';
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import type { AuditTable } from '../db/schema.ts';
import { type Page, page, readCursor } from '../http/paging.ts';
import { type ChainedEntry, chainedEntrySchema, GENESIS, type Head } from './chain.ts';

/** Entries read at once. */
const BATCH = 1000;

export interface AuditFilter {
  readonly limit: number;
  readonly cursor?: string | undefined;
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly subject?: string | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
}

/** Newest first. @throws `request-invalid` */
export async function listEntries({ db, organization }: Tenant, filter: AuditFilter): Promise<Page<ChainedEntry>> {
  const { limit, cursor, since, until } = filter;
  let query = db.selectFrom('audit').selectAll().where('organization', '=', organization);
  for (const field of ['actor', 'action', 'subject'] as const) {
    const wanted = filter[field];
    if (wanted !== undefined) query = query.where(field, '=', wanted);
  }
  if (since) query = query.where('at', '>=', since);
  if (until) query = query.where('at', '<', until);
  const before = readCursor(cursor);
  if (before) query = query.where('number', '<', before.id);
  const rows = await query
    .orderBy('number', 'desc')
    .limit(limit + 1)
    .execute();
  return page(rows, limit, entryOf, ({ number }) => ({ at: '', id: number }));
}

/** The end of the organization's chain. */
export async function headOf(db: Database, organization: string): Promise<Head> {
  const last = await db
    .selectFrom('audit')
    .select(['number', 'hash'])
    .where('organization', '=', organization)
    .orderBy('number', 'desc')
    .limit(1)
    .executeTakeFirst();
  return { organization, number: Number(last?.number ?? 0), hash: last?.hash ?? GENESIS };
}

/**
 * The chain as JSON lines, oldest first, read as it is written out.
 *
 * @param after the number of the last entry that is there already; 0 for all
 * @param most lines; undefined for no end
 */
export async function* exportLines(
  { db, organization }: Pick<Tenant, 'db' | 'organization'>,
  after: number,
  most = Number.MAX_SAFE_INTEGER,
): AsyncGenerator<string> {
  for (let last = after, left = most; left > 0; ) {
    const rows = await db
      .selectFrom('audit')
      .selectAll()
      .where('organization', '=', organization)
      .where('number', '>', String(last))
      .orderBy('number')
      .limit(Math.min(BATCH, left))
      .execute();
    if (rows.length === 0) return;
    for (const row of rows) yield `${JSON.stringify(entryOf(row))}\n`;
    last = Number(rows.at(-1)?.number);
    left -= rows.length;
  }
}

function entryOf({ at, number, details, ...row }: Selectable<AuditTable>): ChainedEntry {
  return {
    version: 1,
    ...row,
    number: Number(number),
    at: at.toISOString(),
    details: chainedEntrySchema.shape.details.parse(details),
  };
}
