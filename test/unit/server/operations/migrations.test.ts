// The history of the schema on a database in which every table holds something: down step by step to the first tables and up
// again. New migrations are taken in by themselves: their tables are filled by the types of their columns, and what they lose on
// the way back has to be said here.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import { SCOPES } from '../../../../server/access/scopes.ts';
import { audit } from '../../../../server/audit/audit.ts';
import { exportLines } from '../../../../server/audit/entries.ts';
import { verifyAuditExport } from '../../../../server/audit/verify.ts';
import type { Database } from '../../../../server/db/database.ts';
import { appliedMigrations, MIGRATIONS, migrate, migratorOf } from '../../../../server/db/migrations.ts';
import { hasCode } from '../../../../signing/index.ts';
import { startTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { tenantOn } from '../../../support/tenant.ts';

const ORGANIZATIONS = ['default', 'org-b', 'org-c'];
const ROWS_EACH = 3;
const FIRST = Object.keys(MIGRATIONS)[0] as string;
/** Kysely's own. */
const NOT_OURS = ['kysely_migration', 'kysely_migration_lock'];

/** What an older schema cannot hold, by migration that is taken back and table: rows for which the condition holds are kept. */
const OTHERS_GO = "organization = 'default'";
const OF_OTHERS_GO = `license_id in (select id from licenses where ${OTHERS_GO})`;
const KEPT: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '0011-access': {
    tokens: `${OTHERS_GO} and revoked_at is null and expires_at is null and products is null and scopes <> '{site:read}'`,
  },
  '0014-tenants': {
    ...Object.fromEntries(['secrets', 'metadata', 'releases', 'leases', 'licenses', 'sites'].map(t => [t, OTHERS_GO])),
    wraps: OF_OTHERS_GO,
    certificates: OF_OTHERS_GO,
  },
};

let database: TestDatabase;
before(async () => {
  database = await startTestDatabase();
});
after(() => database.close());

async function rows<T>(statement: string): Promise<readonly T[]> {
  return (await sql.raw<T>(statement).execute(database.db)).rows;
}

interface Column {
  readonly table_name: string;
  readonly column_name: string;
  readonly data_type: string;
  readonly is_identity: 'YES' | 'NO';
}

/** Columns of every table, by table. */
async function tables(): Promise<ReadonlyMap<string, readonly Column[]>> {
  const all = await rows<Column>(`select table_name, column_name, data_type, is_identity from information_schema.columns
    where table_schema = 'public' order by table_name, ordinal_position`);
  const ours = all.filter(({ table_name: name }) => !NOT_OURS.includes(name));
  return Map.groupBy(ours, ({ table_name: name }) => name);
}

interface Reference {
  readonly from: string;
  readonly to: string;
  readonly columns: readonly string[];
  readonly others: readonly string[];
}

async function references(): Promise<readonly Reference[]> {
  return rows(`select conrelid::regclass::text as from, confrelid::regclass::text as to,
    (select array_agg(attname::text order by k.place) from unnest(conkey) with ordinality k (number, place)
      join pg_attribute on attrelid = conrelid and attnum = k.number) as columns,
    (select array_agg(attname::text order by k.place) from unnest(confkey) with ordinality k (number, place)
      join pg_attribute on attrelid = confrelid and attnum = k.number) as others
    from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace`);
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

async function fill(db: Database): Promise<void> {
  const known = await tables();
  const refs = await references();
  await rows(`insert into organizations (id, name, created_at)
    select unnest, unnest, now() from unnest(array['${ORGANIZATIONS.slice(1).join("','")}'])`);
  const done = new Set(['organizations', ...BY_THE_SERVICE]);
  while (done.size < known.size) {
    const ready = [...known].filter(
      ([name]) => !done.has(name) && refs.every(({ from, to }) => from !== name || to === name || done.has(to)),
    );
    assert.ok(ready.length > 0, 'tables refer to each other in a circle');
    for (const [name, columns] of ready) {
      await fillTable(
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

async function fillTable(table: string, columns: readonly Column[], refs: readonly Reference[]): Promise<void> {
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
      await rows(`insert into ${table} (${filled.map(c => c.column_name)}) values (${values})`);
    }
  }
}

/** A line for each row of the columns, sorted: the content, whatever the order. */
async function content(table: string, columns: readonly string[], kept = 'true'): Promise<readonly string[]> {
  const list = columns.map(column => `"${column}"`).join(', ');
  const lines = await rows<{ line: string }>(
    `select row_to_json(r)::text as line from (select ${list} from ${table} where ${kept}) r order by 1`,
  );
  return lines.map(({ line }) => line);
}

const namesOf = (columns: readonly Column[]) => columns.map(({ column_name: name }) => name);

/** Goes to a version; what both schemas can hold is the same before and after. Returns how many rows were compared. */
async function step(to: string, kept: Readonly<Record<string, string>>): Promise<number> {
  const old = await tables();
  const { db } = database;
  const probe = new Map<string, readonly string[]>();
  // Which columns the next schema has is known afterwards only: rows are kept as JSON, and columns are dropped from both.
  for (const [name, columns] of old) probe.set(name, await content(name, namesOf(columns), kept[name]));
  const { error } = await migratorOf(db).migrateTo(to);
  if (error) throw error;
  const fresh = await tables();
  let compared = 0;
  for (const [name, columns] of old) {
    const now = fresh.get(name);
    if (!now) continue;
    const common = namesOf(columns).filter(column => namesOf(now).includes(column));
    const before = (probe.get(name) ?? []).map(line => pick(line, common)).sort();
    const after = (await content(name, common)).map(line => pick(line, common)).sort();
    assert.deepEqual(after, before, `${name} at ${to}`);
    compared += after.length;
  }
  return compared;
}

function pick(line: string, columns: readonly string[]): string {
  const row = JSON.parse(line) as Record<string, unknown>;
  return JSON.stringify(columns.map(column => row[column]));
}

test('every migration has a way back', () => {
  for (const [name, { down }] of Object.entries(MIGRATIONS)) assert.ok(down, name);
});

test('down to the first tables and up again, nothing is lost that a schema can hold', async t => {
  await fill(database.db);
  const empty: string[] = [];
  for (const name of (await tables()).keys()) {
    const [counted] = await rows<{ n: string }>(`select count(*) as n from ${name}`);
    if (Number(counted?.n) === 0) empty.push(name);
  }
  assert.deepEqual(empty, [], 'every table holds something');
  const tokens = await content('tokens', ['id']);

  const names = Object.keys(MIGRATIONS).sort();
  let compared = 0;
  for (const [i, name] of names.entries().toArray().toReversed()) {
    if (i > 0) compared += await step(names[i - 1] as string, KEPT[name] ?? {});
  }
  assert.deepEqual(await appliedMigrations(database.db), [FIRST]);
  const [licenses] = await rows<{ n: string }>('select count(*) as n from licenses');
  assert.equal(Number(licenses?.n), ROWS_EACH, 'the first organization has what it had');
  assert.ok((await content('tokens', ['id'])).length < tokens.length, 'tokens that were limited are gone');

  for (const name of names.slice(1)) compared += await step(name, {});
  t.diagnostic(`${names.length} migrations each way, ${compared} rows compared`);
  const chain = exportLines({ db: database.db, organization: 'default' }, 0);
  const verdict = await verifyAuditExport(chain);
  assert.deepEqual(verdict.findings, []);
  assert.equal(verdict.entries, ORGANIZATIONS.length * ROWS_EACH, 'the entries of all are one chain');
});

const EXTRA = '9999-more';
const EXPANDED = {
  ...MIGRATIONS,
  [EXTRA]: {
    up: async (db: Database) => void (await sql`alter table licenses add column region text`.execute(db)),
    down: async (db: Database) => void (await sql`alter table licenses drop column region`.execute(db)),
  },
} as typeof MIGRATIONS;

test('a newer schema is used as it is when it is said to be compatible, and refused when it is not', async () => {
  const { db } = database;
  const newest = Object.keys(MIGRATIONS).sort().at(-1) as string;
  await migrate(db, EXPANDED, newest);
  await migrate(db);
  assert.ok((await appliedMigrations(db)).includes(EXTRA), 'and left as it is');
  await migrate(db, EXPANDED, EXTRA);
  await assert.rejects(migrate(db), error => hasCode(error, 'schema-newer'));
  const { error } = await migratorOf(db, EXPANDED).migrateTo(newest);
  assert.equal(error, undefined);
  await migrate(db);
});
