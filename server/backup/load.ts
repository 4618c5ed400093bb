// Records back into an empty database, within one transaction: the schema that they were written from, then all rows, then what has
// come to the schema since.

import { isDeepStrictEqual } from 'node:util';
import { sql } from 'kysely';
import type { Database } from '../db/database.ts';
import { type Migrations, migratorOf } from '../db/migrations.ts';
import { serverError } from '../errors.ts';
import { type ForeignKey, foreignKeys, readCatalog, type Table } from './catalog.ts';
import { agreeOnValues, type DatabaseHead, headSchema, rowsSchema } from './dump.ts';

/**
 * Brings an empty database to the state that was written.
 *
 * @param db a transaction; it is of no use after an error
 * @param onRows hears how many rows there are so far
 * @throws `schema-newer` for what a newer version has written, `backup-damaged`
 */
export async function loadDatabase(
  db: Database,
  records: AsyncIterable<Buffer>,
  migrations: Migrations,
  onRows: (rows: number) => void = () => undefined,
): Promise<void> {
  await agreeOnValues(db);
  const reader = records[Symbol.asyncIterator]();
  const head = readHead((await reader.next()).value);
  await makeSchema(db, head, migrations);
  const tables = new Map(head.catalog.tables.map(table => [table.name, table]));
  const keys = await withoutChecks(db, head.catalog.tables);
  let total = 0;
  for (let next = await reader.next(); !next.done; next = await reader.next()) {
    total += await insertRecord(db, tables, next.value);
    onRows(total);
  }
  await withChecks(db, head.catalog.tables, keys);
  for (const { name, value, called } of head.sequences) {
    await sql`select setval(format('%I', ${name}::text)::regclass, ${value}::bigint, ${called})`.execute(db);
  }
}

/** @throws `schema-newer` for a migration that is not known here */
export function requireKnown(names: readonly string[], migrations: Migrations): void {
  const unknown = names.find(name => !(name in migrations));
  if (unknown === undefined) return;
  const newest = Object.keys(migrations).sort().at(-1);
  throw serverError('schema-newer', `The backup has the schema ${unknown}; this version knows ${newest}.`);
}

function readHead(record: Buffer | undefined): DatabaseHead {
  const { success, data } = headSchema.safeParse(record && JSON.parse(record.toString('utf8')));
  if (success) return data;
  throw serverError('backup-damaged', 'The backup does not say what the database consists of.');
}

/** The schema at the time of the backup: a column that is missing here would otherwise be lost in silence. */
async function makeSchema(db: Database, head: DatabaseHead, migrations: Migrations): Promise<void> {
  requireKnown(head.migrations, migrations);
  const then = Object.fromEntries(Object.entries(migrations).filter(([name]) => head.migrations.includes(name)));
  const { error } = await migratorOf(db, then).migrateToLatest();
  if (error) throw error;
  const made = await readCatalog(db);
  if (isDeepStrictEqual(made, head.catalog)) return;
  const strange = head.catalog.tables.filter(table => !made.tables.some(other => isDeepStrictEqual(other, table)));
  const what = strange.map(({ name }) => name).join(', ') || 'fewer tables than there should be';
  throw serverError('backup-damaged', `The backup has what this version has never written: ${what}.`);
}

/** Rows come in any order, and are not anybody's deed: foreign keys and triggers wait. What migrations have filled in goes. */
async function withoutChecks(db: Database, tables: readonly Table[]): Promise<readonly ForeignKey[]> {
  const keys = await foreignKeys(db);
  for (const { table, name } of keys) {
    await sql`alter table ${sql.id(table)} drop constraint ${sql.id(name)}`.execute(db);
  }
  for (const { name } of tables) {
    await sql`alter table ${sql.id(name)} disable trigger user`.execute(db);
    await sql`delete from ${sql.id(name)}`.execute(db);
  }
  return keys;
}

async function withChecks(db: Database, tables: readonly Table[], keys: readonly ForeignKey[]): Promise<void> {
  for (const { name } of tables) await sql`alter table ${sql.id(name)} enable trigger user`.execute(db);
  for (const { table, name, definition } of keys) {
    await sql`alter table ${sql.id(table)} add constraint ${sql.id(name)} ${sql.raw(definition)}`.execute(db);
  }
}

async function insertRecord(db: Database, tables: ReadonlyMap<string, Table>, record: Buffer): Promise<number> {
  const end = record.indexOf('\n');
  const { table: name, rows } = rowsSchema.parse(JSON.parse(record.toString('utf8', 0, end)));
  const table = tables.get(name);
  if (!table) throw serverError('backup-damaged', `The backup has rows of ${name}, which is no table of it.`);
  const columns = table.columns.map(column => sql.id(column.name));
  const values = table.columns.map(({ type }, i) => sql`(value ->> ${sql.lit(i)})::${sql.raw(type)}`);
  const { numAffectedRows } = await sql`
    insert into ${sql.id(name)} (${sql.join(columns)}) overriding system value
    select ${sql.join(values)} from jsonb_array_elements(${record.toString('utf8', end + 1)}::jsonb)`.execute(db);
  if (numAffectedRows === BigInt(rows)) return rows;
  throw serverError('backup-damaged', `Of ${rows} rows of ${name}, ${numAffectedRows} were there.`);
}
