// The history of the schema on a database in which every table holds something: down step by step to the first tables and up
// again. New migrations are taken in by themselves: their tables are filled by the types of their columns, and what they lose on
// the way back has to be said here.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import { exportLines } from '../../../../server/audit/entries.ts';
import { verifyAuditExport } from '../../../../server/audit/verify.ts';
import type { Database } from '../../../../server/db/database.ts';
import { appliedMigrations, MIGRATIONS, migrate, migratorOf } from '../../../../server/db/migrations.ts';
import { hasCode } from '../../../../signing/index.ts';
import { startTestDatabase, type TestDatabase } from '../../../support/database.ts';
import {
  type Column,
  contentOf,
  fillTables,
  ORGANIZATIONS,
  ROWS_EACH,
  tablesOf,
} from '../../../support/filled-tables.ts';

const FIRST = Object.keys(MIGRATIONS)[0] as string;

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

const namesOf = (columns: readonly Column[]) => columns.map(({ column_name: name }) => name);

/** Goes to a version; what both schemas can hold is the same before and after. Returns how many rows were compared. */
async function step(to: string, kept: Readonly<Record<string, string>>): Promise<number> {
  const old = await tablesOf(database.db);
  const { db } = database;
  const probe = new Map<string, readonly string[]>();
  // Which columns the next schema has is known afterwards only: rows are kept as JSON, and columns are dropped from both.
  for (const [name, columns] of old) probe.set(name, await contentOf(database.db, name, namesOf(columns), kept[name]));
  const { error } = await migratorOf(db).migrateTo(to);
  if (error) throw error;
  const fresh = await tablesOf(database.db);
  let compared = 0;
  for (const [name, columns] of old) {
    const now = fresh.get(name);
    if (!now) continue;
    const common = namesOf(columns).filter(column => namesOf(now).includes(column));
    const before = (probe.get(name) ?? []).map(line => pick(line, common)).sort();
    const after = (await contentOf(database.db, name, common)).map(line => pick(line, common)).sort();
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
  await fillTables(database.db);
  const empty: string[] = [];
  for (const name of (await tablesOf(database.db)).keys()) {
    const [counted] = await rows<{ n: string }>(`select count(*) as n from ${name}`);
    if (Number(counted?.n) === 0) empty.push(name);
  }
  assert.deepEqual(empty, [], 'every table holds something');
  const tokens = await contentOf(database.db, 'tokens', ['id']);

  const names = Object.keys(MIGRATIONS).sort();
  let compared = 0;
  for (const [i, name] of names.entries().toArray().toReversed()) {
    if (i > 0) compared += await step(names[i - 1] as string, KEPT[name] ?? {});
  }
  assert.deepEqual(await appliedMigrations(database.db), [FIRST]);
  const [licenses] = await rows<{ n: string }>('select count(*) as n from licenses');
  assert.equal(Number(licenses?.n), ROWS_EACH, 'the first organization has what it had');
  assert.ok(
    (await contentOf(database.db, 'tokens', ['id'])).length < tokens.length,
    'tokens that were limited are gone',
  );

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
