// The database of a backup: every table of the catalog, whatever its columns are, comes back as it was. The tables are found here by
// another way than the code finds them, so that one which is left out is noticed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import { dumpDatabase } from '../../../../server/backup/dump.ts';
import { loadDatabase } from '../../../../server/backup/load.ts';
import type { Database } from '../../../../server/db/database.ts';
import { appliedMigrations, MIGRATIONS, migrate } from '../../../../server/db/migrations.ts';
import { startTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { rejectsWith } from '../../../support/errors.ts';
import { contentOf, fillTables, NOT_OURS, tablesOf } from '../../../support/filled-tables.ts';

let database: TestDatabase;
before(async () => {
  database = await startTestDatabase();
  await fillTables(database.db);
});
after(() => database.close());

async function dumped(db: Database): Promise<readonly Buffer[]> {
  const records: Buffer[] = [];
  const snapshot = db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only');
  await snapshot.execute(within => dumpDatabase(within, async record => void records.push(record)));
  return records;
}

async function loaded(db: Database, records: readonly Buffer[], migrations = MIGRATIONS): Promise<void> {
  const read = async function* () {
    yield* records;
  };
  await db.transaction().execute(within => loadDatabase(within, read(), migrations));
}

/** Names of all tables outside of PostgreSQL's own schemas. */
async function allTables(db: Database): Promise<readonly string[]> {
  const { rows } = await sql<{ name: string }>`
    select table_schema || '.' || table_name as name from information_schema.tables
    where table_schema not in ('pg_catalog', 'information_schema') order by 1`.execute(db);
  return rows.map(({ name }) => name);
}

/** Rows of every table, and whatever the schema consists of beside tables. */
async function everything(db: Database): Promise<Readonly<Record<string, readonly string[]>>> {
  const tables: Record<string, readonly string[]> = {};
  for (const [name, columns] of await tablesOf(db)) {
    const names = columns.map(column => column.column_name);
    tables[name] = await contentOf(db, name, names);
  }
  const { rows } = await sql<{ what: string }>`
    select conname || ' ' || pg_get_constraintdef(oid) || convalidated as what from pg_constraint
      where connamespace = 'public'::regnamespace
    union all select indexdef from pg_indexes where schemaname = 'public'
    union all select tgname || tgenabled::text || tgrelid::regclass::text from pg_trigger where not tgisinternal
    order by 1`.execute(db);
  const sequences = await sql<{ what: string }>`
    select sequencename || ' ' || coalesce(last_value::text, 'not called') as what from pg_sequences order by 1`.execute(
    db,
  );
  const what = [...rows, ...sequences.rows].map(row => row.what);
  return { ...tables, 'constraints, indexes, triggers and sequences': what };
}

test('every table of the service comes back as it was, and none is left out', async () => {
  const { db } = database;
  await sql`select nextval('director_sequence')`.execute(db);
  const expected = await everything(db);
  const names = Object.keys(expected);
  assert.ok(names.length > 20);
  for (const name of names) assert.ok((expected[name]?.length ?? 0) > 0, `${name} holds something`);
  const ours = (await allTables(db))
    .map(name => name.replace(/^public\./, ''))
    .filter(name => !NOT_OURS.includes(name));
  assert.deepEqual(
    names.filter(name => !name.includes(' ')),
    ours,
    'whatever there is was compared',
  );

  const fresh = await database.empty();
  await loaded(fresh, await dumped(db));
  assert.deepEqual(await everything(fresh), expected);
  assert.deepEqual(await appliedMigrations(fresh), await appliedMigrations(db));
  await assert.rejects(sql`delete from audit`.execute(fresh), /never changed or deleted/);
});

/** What a table may have that none has yet. */
const ODD = [
  `create table odd (
     number bigint generated always as identity, own bigint not null default 7, twice numeric generated always as (own::numeric * 2) stored,
     bytes bytea, at timestamptz, day date, amount numeric, ratio double precision, small real, said jsonb, written json,
     list text[], matrix integer[], id uuid, span interval, plain timestamp, letters char(5), place inet, flag boolean, bits bit(3),
     "Odd ""name" text, primary key (number), unique (own))`,
  'alter table odd add column parent bigint references odd (number) deferrable initially deferred',
  'create table odder (id bigint primary key, odd bigint references odd (number))',
  'alter table odd add column odder bigint references odder (id)',
  'create table "Odd table" (id integer primary key)',
  `create function odd_refuses() returns trigger language plpgsql as
     $$ begin if new.flag then raise exception 'refused'; end if; return new; end $$`,
  'create trigger odd_refuses before insert on odd for each row execute function odd_refuses()',
];
const ODD_ROWS = [
  'alter table odd disable trigger odd_refuses',
  `insert into odd (own, bytes, at, day, amount, ratio, small, said, written, list, matrix, id, span, plain, letters, place, flag, bits,
     "Odd ""name") values
     (9223372036854775807, '\\x00ff5c0a', '2026-03-01 12:00:00.123456+03', 'infinity', 123456789012345678901234567890.000000001,
      0.1, 0.1, 'null', '{"a":  1, "a": 2}', array['a,b', null, 'null', '"', ''], '{{1,2},{3,4}}',
      'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '1 mon -3 days 00:00:00.000001', '0044-03-15 00:00:00 BC', 'a', '10.0.0.0/8', true, '101',
      E'line\\n\\ttab "quotes" \\\\ back \\u2028 end'),
     (-9223372036854775808, '', '-infinity', null, 'NaN', 'NaN', '-infinity', '{"n": 1.10}', 'null', '{}', null, null, null, null, '',
      null, null, null, '')`,
  // Large ones among small ones: more than one record, and none that is too large.
  `insert into odd (own, "Odd ""name") select n, repeat(n::text, case when n % 50 = 0 then 200000 else 1 end)
     from generate_series(1, 400) n`,
  'update odd set parent = (select max(number) from odd) where own <= 100',
  'insert into odder values (1, 1)',
  'update odd set odder = 1 where own = 7',
  'alter table odd enable trigger odd_refuses',
];
const WITH_ODD = {
  ...MIGRATIONS,
  '9998-odd': {
    up: async (db: Database) => {
      for (const statement of ODD) await sql.raw(statement).execute(db);
    },
  },
} as typeof MIGRATIONS;

test('a table that comes with a later migration is taken in by itself, whatever its columns hold', async () => {
  const source = await database.empty();
  await migrate(source, WITH_ODD);
  for (const statement of ODD_ROWS) await sql.raw(statement).execute(source);
  const expected = await everything(source);
  assert.equal(expected['odd']?.length, 402);
  const records = await dumped(source);
  assert.ok(Math.max(...records.map(record => record.length)) < 8 * 1024 * 1024, 'records are bounded');
  const fresh = await database.empty();
  await loaded(fresh, records, WITH_ODD);
  assert.deepEqual(await everything(fresh), expected);
  const [first] = (
    await sql<{ said: string; micro: string }>`
      select said::text, extract(microseconds from at)::text as micro from odd where flag`.execute(fresh)
  ).rows;
  assert.deepEqual(first, { said: 'null', micro: '123456' }, 'a JSON null is none of SQL, and times have microseconds');
  await sql`insert into odd (own) values (0)`.execute(fresh);
});

test('a table, a column or rows that no migration of this version makes are refused, not dropped', async () => {
  for (const change of ['create table stranger (id text)', 'alter table licenses add column stranger text']) {
    const source = await database.empty();
    await migrate(source);
    await sql.raw(change).execute(source);
    const records = await dumped(source);
    const fresh = await database.empty();
    const error = await rejectsWith('backup-damaged', () => loaded(fresh, records));
    assert.match(error.message, /stranger|licenses/);
    assert.deepEqual(await allTables(fresh), [], 'nothing was restored');
  }
});

test('what an older version has written goes through the migrations since; what a newer one has written is refused', async () => {
  const newest = Object.keys(MIGRATIONS).sort().at(-1) as string;
  const { [newest]: _, ...older } = MIGRATIONS;
  const source = await database.empty();
  await migrate(source, older);
  const records = await dumped(source);
  const fresh = await database.empty();
  await loaded(fresh, records);
  assert.ok(!(await appliedMigrations(fresh)).includes(newest));
  await migrate(fresh);
  assert.ok((await appliedMigrations(fresh)).includes(newest));

  const newer = await dumped(database.db);
  const refusing = await database.empty();
  const error = await rejectsWith('schema-newer', () => loaded(refusing, newer, older));
  assert.match(error.message, new RegExp(newest));
  assert.deepEqual(await allTables(refusing), []);
});
