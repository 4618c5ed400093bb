// What the database holds, by its own catalog: tables, their columns, sequences and foreign keys. Nobody keeps a list of tables for
// backups: one that is added tomorrow is in the next backup.
import { sql } from 'kysely';
import { z } from 'zod';
import type { Database } from '../db/database.ts';

/** Kysely's own: a backup names the migrations in its first record. */
const NOT_OURS = ['kysely_migration', 'kysely_migration_lock'];

const tableSchema = z.strictObject({
  name: z.string(),
  /** Without those that PostgreSQL computes; in the order of their names. */
  columns: z.array(z.strictObject({ name: z.string(), type: z.string() })),
});

export const catalogSchema = z.strictObject({ tables: z.array(tableSchema), sequences: z.array(z.string()) });

export type Table = z.infer<typeof tableSchema>;
export type Catalog = z.infer<typeof catalogSchema>;

/** Tables and sequences of the service, in the order of their names. The job queue's, in a schema of its own, are not. */
export async function readCatalog(db: Database): Promise<Catalog> {
  const { rows } = await sql<{ name: string; column: string; type: string }>`
    select c.relname as name, a.attname as column, format_type(a.atttypid, a.atttypmod) as type
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and c.relname <> all (${NOT_OURS}) and ${NO_EXTENSION}
    order by c.relname collate "C", a.attname collate "C"`.execute(db);
  const tables = [...Map.groupBy(rows, ({ name }) => name)].map(([name, columns]) => ({
    name,
    columns: columns.map(({ column, type }) => ({ name: column, type })),
  }));
  const sequences = await sql<{ name: string }>`
    select c.relname as name from pg_class c
    where c.relnamespace = current_schema()::regnamespace and c.relkind = 'S' and ${NO_EXTENSION}
    order by c.relname collate "C"`.execute(db);
  return { tables, sequences: sequences.rows.map(({ name }) => name) };
}

/** Nothing but what PostgreSQL and its extensions bring. */
export async function isEmptyDatabase(db: Database): Promise<boolean> {
  const { rows } = await sql`
    select from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname !~ '^(pg_|information_schema$)' and ${NO_EXTENSION} limit 1`.execute(db);
  return rows.length === 0;
}

export interface ForeignKey {
  readonly table: string;
  readonly name: string;
  /** As `alter table … add constraint` takes it. */
  readonly definition: string;
}

export async function foreignKeys(db: Database): Promise<readonly ForeignKey[]> {
  const { rows } = await sql<ForeignKey>`
    select c.relname as table, k.conname as name, pg_get_constraintdef(k.oid) as definition
    from pg_constraint k join pg_class c on c.oid = k.conrelid
    where k.contype = 'f' and k.connamespace = current_schema()::regnamespace
    order by c.relname collate "C", k.conname collate "C"`.execute(db);
  return rows;
}

/** Of `pg_class c`. */
const NO_EXTENSION = sql<boolean>`not exists (
  select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')`;
