// The database as records: what it consists of, the rows of every table, and how many there were. A value is the text that
// PostgreSQL itself writes for it and reads again, whatever its type: nothing is rounded, and nothing passes through JavaScript.
import { type RawBuilder, sql } from 'kysely';
import { z } from 'zod';
import type { Database } from '../db/database.ts';
import { appliedMigrations } from '../db/migrations.ts';
import { catalogSchema, readCatalog, type Table } from './catalog.ts';

const sequenceSchema = z.strictObject({ name: z.string(), value: z.string(), called: z.boolean() });

/** The first record: JSON. */
export const headSchema = z.strictObject({
  migrations: z.array(z.string()),
  catalog: catalogSchema,
  sequences: z.array(sequenceSchema),
});

/** Every other one begins with a line of this; the rows follow, as JSON: lists of texts and nulls, in the order of the columns. */
export const rowsSchema = z.strictObject({ table: z.string(), rows: z.int() });

export type DatabaseHead = z.infer<typeof headSchema>;

/** About so much goes into one record, and through memory. */
const RECORD_BYTES = 1024 * 1024;
const FIRST_ROWS = 50;
const MOST_ROWS = 5000;

/** How values are written: the same on both sides, whatever the database was told by whoever set it up. */
const VALUES = [
  "set local datestyle = 'ISO, YMD'",
  "set local timezone = 'UTC'",
  "set local intervalstyle = 'postgres'",
  "set local bytea_output = 'hex'",
  'set local extra_float_digits = 1',
  'set local statement_timeout = 0',
  'set local lock_timeout = 0',
  'set local idle_in_transaction_session_timeout = 0',
];

/** For a transaction that values are written or read in. */
export async function agreeOnValues(db: Database): Promise<void> {
  for (const statement of VALUES) await sql.raw(statement).execute(db);
}

/**
 * Writes all rows of all tables.
 *
 * @param db a transaction that sees one state of the database: `repeatable read`
 * @returns the number of rows
 */
export async function dumpDatabase(
  db: Database,
  write: (record: Buffer) => Promise<void>,
  onRows: (rows: number) => void = () => undefined,
): Promise<number> {
  await agreeOnValues(db);
  const catalog = await readCatalog(db);
  await lockTables(db, catalog.tables);
  const head: DatabaseHead = {
    migrations: [...(await appliedMigrations(db))],
    catalog,
    sequences: await Promise.all(catalog.sequences.map(name => readSequence(db, name))),
  };
  await write(Buffer.from(JSON.stringify(head)));
  let total = 0;
  for (const table of catalog.tables) {
    for await (const rows of rowsOf(db, table)) {
      await write(Buffer.from(`${JSON.stringify({ table: table.name, rows: rows.length })}\n[${rows.join(',')}]`));
      total += rows.length;
      onRows(total);
    }
  }
  return total;
}

/** No migration changes them until they have been read. */
async function lockTables(db: Database, tables: readonly Table[]): Promise<void> {
  if (tables.length === 0) return;
  await sql`lock table ${sql.join(tables.map(({ name }) => sql.id(name)))} in access share mode`.execute(db);
}

async function readSequence(db: Database, name: string): Promise<DatabaseHead['sequences'][number]> {
  const query = sql<{ value: string; called: boolean }>`
    select last_value::text as value, is_called as called from ${sql.id(name)}`;
  const { rows } = await query.execute(db);
  return sequenceSchema.parse({ name, ...rows[0] });
}

async function* rowsOf(db: Database, { name, columns }: Table): AsyncGenerator<readonly string[]> {
  const values = columns.map(column => sql`${sql.id(column.name)}::text`);
  await sql`declare dumped no scroll cursor for
    select json_build_array(${sql.join(values)})::text as row from ${sql.id(name)}`.execute(db);
  let many = FIRST_ROWS;
  for (;;) {
    const { rows } = await fetchRows(many).execute(db);
    if (rows.length > 0) yield rows.map(({ row }) => row);
    if (rows.length < many) break;
    const bytes = rows.reduce((sum, { row }) => sum + row.length, 0);
    // A table may begin with small rows and go on with large ones: it never grows by more than twice.
    const fitting = Math.floor((many * RECORD_BYTES) / bytes);
    many = Math.max(1, Math.min(fitting, 2 * many, MOST_ROWS));
  }
  await sql`close dumped`.execute(db);
}

function fetchRows(many: number): RawBuilder<{ row: string }> {
  return sql<{ row: string }>`fetch forward ${sql.lit(many)} from dumped`;
}
