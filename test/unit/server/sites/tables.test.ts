// The migration of sites: reports of before are found by what they say, and the way back loses nothing that was there before.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import { migratorOf } from '../../../../server/db/migrations.ts';
import { startTestDatabase, type TestDatabase } from '../../../support/database.ts';

let database: TestDatabase;
before(async () => {
  database = await startTestDatabase();
});
after(() => database.close());

async function go(version: string): Promise<void> {
  const { error } = await migratorOf(database.db).migrateTo(version);
  if (error) throw error;
}

test('sites of before keep their reports, and are found by version, state and nodes; back, and forward again', async () => {
  await go('0014-tenants');
  const report = { installed: '1.0.0', agentVersion: '7', nodes: { active: 3, draining: 1 }, rollover: 'running' };
  await sql`insert into licenses (id, customer, product, channels, status, document, node_limit, site_limit,
      entitlement_public_key, sealed_psk, created_at)
    values ('lic', 'c', 'cloud', '{stable}', 'active', '', 1, 1, '', '', now())`.execute(database.db);
  for (const [id, said] of [
    ['reported', JSON.stringify(report)],
    ['silent', null],
  ]) {
    await sql`insert into sites (id, license_id, name, public_key, activated_at, last_seen_at, report)
      values (${id}, 'lic', ${id}, '', now(), now(), ${said})`.execute(database.db);
  }
  const columns = ['id', 'version', 'state', 'node_count', 'agent_version', 'via'] as const;
  const rows = () => database.db.selectFrom('sites').select(columns).orderBy('id').execute();
  const expected = [
    { id: 'reported', version: '1.0.0', state: 'running', node_count: 4, agent_version: '7', via: 'connection' },
    { id: 'silent', version: null, state: 'none', node_count: 0, agent_version: null, via: null },
  ];
  await go('0070-sites');
  assert.deepEqual(await rows(), expected);
  await go('0014-tenants');
  const { rows: kept } = await sql<{ report: unknown }>`select report from sites order by id`.execute(database.db);
  assert.deepEqual(kept, [{ report }, { report: null }]);
  await go('0070-sites');
  assert.deepEqual(await rows(), expected);
});
