// A database in which every table holds something: filled by the types of columns and by who refers to whom, as the catalog says it, so
// that tables which come with a new migration are filled by themselves.
import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { SCOPES } from '../../server/access/scopes.ts';
import { audit } from '../../server/audit/audit.ts';
import type { Database } from '../../server/db/database.ts';
import { tenantOn } from './tenant.ts';

export const ORGANIZATIONS = ['default', 'org-b', 'org-c'];
/** Of each organization, in each table. */
export const ROWS_EACH = 3;
/** Kysely's own. */
export const NOT_OURS = ['kysely_migration', 'kysely_migration_lock'];

async function rows<T>(db: Database, statement: string): Promise<readonly T[]> {
  return (await sql.raw<T>(statement).execute(db)).rows;
}

export interface Column {
  readonly table_name: string;
  readonly column_name: string;
  readonly data_type: string;
  readonly is_identity: 'YES' | 'NO';
}

/** Columns of every table, by table. */
export async function tablesOf(db: Database): Promise<ReadonlyMap<string, readonly Column[]>> {
  const all = await rows<Column>(
    db,
    `select table_name, column_name, data_type, is_identity from information_schema.columns
    where table_schema = 'public' order by table_name, ordinal_position`,
  );
  const ours = all.filter(({ table_name: name }) => !NOT_OURS.includes(name));
  return Map.groupBy(ours, ({ table_name: name }) => name);
}

interface Reference {
  readonly from: string;
  readonly to: string;
  readonly columns: readonly string[];
  readonly others: readonly string[];
}

async function references(db: Database): Promise<readonly Reference[]> {
  return rows(
    db,
    `select conrelid::regclass::text as from, confrelid::regclass::text as to,
    (select array_agg(attname::text order by k.place) from unnest(conkey) with ordinality k (number, place)
      join pg_attribute on attrelid = conrelid and attnum = k.number) as columns,
    (select array_agg(attname::text order by k.place) from unnest(confkey) with ordinality k (number, place)
      join pg_attribute on attrelid = confrelid and attnum = k.number) as others
    from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace`,
  );
}

/** A value of each type that a column has; `n` tells rows apart. */
const VALUES: Readonly<Record<string, (n: number, column: string) => string>> = {
  text: (n, column) => `'${column}-${n}'`,
  integer: n => `${n}`,
  bigint: n => `${n}`,
  boolean: () => 'true',
  bytea: n => `'\\x${n.toString(16).padStart(8, '0')}'`,
  jsonb: n => `'{"n": ${n}}'`,
  ARRAY: n => `array['a', 'b-${n}']`,
  'timestamp with time zone': n => `timestamptz '2026-01-01T00:00:00.123Z' + interval '${n} seconds'`,
};

/** What a column holds that its type does not say. Names are the same in every organization. */
const SPECIAL: Readonly<Record<string, (n: number) => string>> = {
  ...Object.fromEntries(
    ['secrets.name', 'metadata.role', 'releases.product', 'releases.channel', 'releases.version', 'leases.digest'].map(
      name => [name, (n: number) => `'name-${n % ROWS_EACH}'`],
    ),
  ),
  // Of each organization: one that may do everything, one that is revoked, one that is limited.
  'tokens.scopes': n => (n % ROWS_EACH === 2 ? "array['site:read']" : `array['${SCOPES.join("','")}']`),
  'tokens.products': () => 'null',
  'tokens.expires_at': () => 'null',
  'tokens.revoked_at': n => (n % ROWS_EACH === 1 ? 'now()' : 'null'),
};
/** Filled by what fills it in the service. */
const BY_THE_SERVICE = ['audit', 'schema_compat'];

/** Fills every table of the newest schema. */
export async function fillTables(db: Database): Promise<void> {
  const known = await tablesOf(db);
  const refs = await references(db);
  await rows(
    db,
    `insert into organizations (id, name, created_at)
    select unnest, unnest, now() from unnest(array['${ORGANIZATIONS.slice(1).join("','")}'])`,
  );
  const done = new Set(['organizations', ...BY_THE_SERVICE]);
  while (done.size < known.size) {
    const ready = [...known].filter(
      ([name]) => !done.has(name) && refs.every(({ from, to }) => from !== name || to === name || done.has(to)),
    );
    assert.ok(ready.length > 0, 'tables refer to each other in a circle');
    for (const [name, columns] of ready) {
      await fillTable(
        db,
        name,
        columns,
        refs.filter(({ from }) => from === name),
      );
      done.add(name);
    }
  }
  for (const organization of ORGANIZATIONS) {
    for (let i = 0; i < ROWS_EACH; i++) {
      await audit(db, tenantOn(db, { organization }), 'service', 'test', `${organization} ${i}`);
    }
  }
}

async function fillTable(
  db: Database,
  table: string,
  columns: readonly Column[],
  refs: readonly Reference[],
): Promise<void> {
  const filled = columns.filter(({ is_identity: identity }) => identity === 'NO');
  for (const [o, organization] of ORGANIZATIONS.entries()) {
    for (let i = 0; i < ROWS_EACH; i++) {
      const n = o * ROWS_EACH + i;
      const values = filled.map(({ column_name: column, data_type: type }) => {
        const special = SPECIAL[`${table}.${column}`];
        if (special) return special(n);
        // A reference of several columns is to one row, whose organization it names too.
        const ref = refs
          .filter(({ columns }) => columns.includes(column))
          .sort((a, b) => b.columns.length - a.columns.length)[0];
        if (ref && (ref.columns.length > 1 || column !== 'organization')) {
          const [other, order] = [ref.others[ref.columns.indexOf(column)], ref.others];
          return `(select ${other} from ${ref.to} order by ${order} offset ${n} limit 1)`;
        }
        if (column === 'organization') return `'${organization}'`;
        const value = VALUES[type];
        assert.ok(value, `${table}.${column}: no value for the type ${type}`);
        return value(n + 1, column);
      });
      await rows(db, `insert into ${table} (${filled.map(c => c.column_name)}) values (${values})`);
    }
  }
}

/** A line for each row of the columns, sorted: the content, whatever the order. */
export async function contentOf(
  db: Database,
  table: string,
  columns: readonly string[],
  kept = 'true',
): Promise<readonly string[]> {
  const { rows: lines } = await sql<{ line: string }>`
    select row_to_json(r)::text as line
    from (select ${sql.join(columns.map(column => sql.ref(column)))} from ${sql.table(table)} where ${sql.raw(kept)}) r
    order by 1`.execute(db);
  return lines.map(({ line }) => line);
}
