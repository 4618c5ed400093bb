// The migration that brings tenants: forward from a database in use, and back without letting anybody in who was limited.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import { SCOPES } from '../../../../server/access/scopes.ts';
import { migratorOf } from '../../../../server/db/migrations.ts';
import { startTestDatabase, type TestDatabase } from '../../../support/database.ts';

const BEFORE = '0010-idempotency';
const ITSELF = '0011-access';

let database: TestDatabase;
before(async () => {
  database = await startTestDatabase();
});
after(() => database.close());

async function go(version: string): Promise<void> {
  const { error } = await migratorOf(database.db).migrateTo(version);
  if (error) throw error;
}

async function rows<T>(statement: string): Promise<readonly T[]> {
  return (await sql.raw<T>(statement).execute(database.db)).rows;
}

test('tokens of before keep what they could do, in the first organization, under names of their own', async () => {
  await go(BEFORE);
  for (const [id, day] of [
    ['a', 1],
    ['b', 2],
  ] as const) {
    await rows(`insert into tokens values ('${id}', 'admin', '${id.repeat(64)}', '2026-01-0${day}')`);
  }
  await go(ITSELF);
  const tokens = await rows<{ id: string; name: string; organization: string; scopes: string[] }>(
    'select id, name, organization, scopes from tokens order by id',
  );
  assert.deepEqual(
    tokens.map(({ id, name, organization }) => [id, name, organization]),
    [
      ['a', 'admin-aaaaaaaa', 'default'],
      ['b', 'admin', 'default'],
    ],
  );
  // Support bundles came later; the token of the administrator is given such scopes at the start.
  const then = SCOPES.filter(scope => !scope.startsWith('support:'));
  for (const { scopes } of tokens) assert.deepEqual(scopes, then);
  assert.deepEqual(await rows('select id, name, revision from organizations'), [
    { id: 'default', name: 'default', revision: 1 },
  ]);
});

test('on the way back, tokens that were limited in any way go: they would be able to do everything', async () => {
  const limited = {
    expired: "expires_at = '2026-01-05'",
    revoked: "revoked_at = '2026-01-05'",
    narrow: "scopes = '{site:read}'",
    product: "products = '{cloud}'",
    foreign: "organization = 'org-x'",
  };
  await rows("insert into organizations (id, name, created_at) values ('org-x', 'x', now())");
  for (const [name, limit] of Object.entries(limited)) {
    const values = `'${name}', '${name}', '${name}', array['${SCOPES.join("','")}'], now()`;
    await rows(`insert into tokens (id, name, hash, scopes, created_at) values (${values})`);
    await rows(`update tokens set ${limit} where id = '${name}'`);
  }
  await go(BEFORE);
  assert.deepEqual(await rows('select id from tokens order by id'), [{ id: 'a' }, { id: 'b' }]);
  const left = await rows<{ table_name: string }>(
    "select table_name from information_schema.tables where table_schema = 'public'",
  );
  const names = left.map(({ table_name }) => table_name);
  for (const gone of ['organizations', 'users', 'sessions', 'attempts']) assert.ok(!names.includes(gone), gone);
  await go(ITSELF);
});
