// The migration that brings the life of licenses: forward from a database in use, and back.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import { migratorOf } from '../../../../server/db/migrations.ts';
import { signLicense } from '../../../../signing/index.ts';
import { startTestDatabase, type TestDatabase } from '../../../support/database.ts';

const FIRST = '0014-tenants';
const BEFORE = '0070-sites';
const ITSELF = '0071-license-lifecycle';

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

/** Names of one to three characters more, so that base64 ends in each of its ways. */
async function documentWith(features: string[]): Promise<string> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const at = '2026-01-01T00:00:00Z';
  const license = {
    version: 1 as const,
    id: 'lic-1',
    customer: 'Ächt & Söhne',
    product: 'cloud',
    channels: ['stable'],
    limits: { nodes: 1, sites: 1 },
    features,
    issuedAt: at,
    notBefore: at,
    entitlement: { publicKey: 'A'.repeat(1622) },
  };
  return signLicense(license, privateKey, 'key');
}

test('licenses and sites of before get what their documents and reports say, and the way back loses neither', async () => {
  await go(FIRST);
  const wanted = [['a'], ['bb', 'c?>~'], ['ccc'], []];
  for (const [i, features] of wanted.entries()) {
    await rows(`insert into licenses (id, customer, product, channels, status, document, node_limit, site_limit,
      entitlement_public_key, sealed_psk, created_at)
      values ('lic-${i}', 'c', 'cloud', '{stable}', 'active', '${await documentWith(features)}', 1, 1, '', '', now())`);
  }
  const report = { nodes: { active: 7, failed: 1, removed: 3, leaving: 1 } };
  await rows(`insert into sites (id, license_id, name, public_key, activated_at, last_seen_at, report)
    values ('s-1', 'lic-0', 'n', '', now(), now(), '${JSON.stringify(report)}'), ('s-2', 'lic-0', 'n', '', now(), now(), null)`);
  await go(ITSELF);
  const kept = await rows<{ features: string[]; overage: string; expiry: string; revision: number }>(
    'select features, overage, expiry, revision, trial, floating from licenses order by id',
  );
  const plain = { overage: 'refuse', expiry: 'keep', revision: 1, trial: false, floating: false };
  assert.deepEqual(
    kept,
    wanted.map(features => ({ features, ...plain })),
  );
  assert.deepEqual(await rows('select id, live_nodes from sites order by id'), [
    { id: 's-1', live_nodes: 8 },
    { id: 's-2', live_nodes: 0 },
  ]);
  await go(BEFORE);
  assert.equal((await rows('select id from licenses')).length, wanted.length);
  await go(ITSELF);
  assert.equal((await rows('select id from sites')).length, 2);
});

test('the database itself refuses a trial without an end', async () => {
  await assert.rejects(rows("update licenses set trial = true where id = 'lic-0'"), /check constraint/);
});
