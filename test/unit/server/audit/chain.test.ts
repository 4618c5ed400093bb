// The audit log grows as one chain for each organization: however many write at once, whoever is killed, whatever was there before.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { audit } from '../../../../server/audit/audit.ts';
import { exportLines, headOf } from '../../../../server/audit/entries.ts';
import { verifyAuditExport } from '../../../../server/audit/verify.ts';
import { openDatabase } from '../../../../server/db/database.ts';
import { migratorOf } from '../../../../server/db/migrations.ts';
import { startTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { tenantOn } from '../../../support/tenant.ts';

const WAITING = fileURLToPath(new URL('../../../support/append-and-wait.ts', import.meta.url));

let database: TestDatabase;
before(async () => {
  database = await startTestDatabase();
});
after(() => database.close());

const linesOf = (organization: string) => exportLines({ db: database.db, organization }, 0);

async function textOf(lines: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const line of lines) text += line;
  return text;
}

/** How many entries there are; fails unless they are one chain. */
async function wholeChain(organization: string): Promise<number> {
  const { entries, findings, head } = await verifyAuditExport(linesOf(organization));
  assert.deepEqual(findings, []);
  assert.equal(head?.number ?? 0, entries);
  if (entries > 0) assert.deepEqual(await headOf(database.db, organization), head);
  return entries;
}

test('200 appends at once, some of them rolled back, make one chain for each organization', async () => {
  const other = openDatabase(database.connection);
  try {
    const appends = Array.from({ length: 200 }, async (_, i) => {
      const db = i % 2 === 0 ? database.db : other;
      const tenant = tenantOn(db, { organization: i % 10 === 3 ? 'small' : 'large' });
      const change = db.transaction().execute(async transaction => {
        await audit(transaction, tenant, 'token:test', 'test.append', `number ${i}`, { i });
        if (i % 10 === 7) throw new Error('rolled back');
      });
      await change.catch(error => assert.match(error.message, /rolled back/));
    });
    await Promise.all(appends);
  } finally {
    await other.destroy();
  }
  assert.equal(await wholeChain('large'), 160);
  assert.equal(await wholeChain('small'), 20);
});

test('killed between append and commit, a process leaves nothing behind, and the chain goes on', async () => {
  const tenant = tenantOn(database.db);
  await audit(database.db, tenant, 'service', 'test.before', 'committed');
  const known = await wholeChain('default');
  const child = fork(WAITING, [JSON.stringify(database.connection)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  await once(child, 'message');
  const waiting = audit(database.db, tenant, 'service', 'test.after', 'waits for the one that is killed');
  child.kill('SIGKILL');
  await once(child, 'close');
  await waiting;
  assert.equal(await wholeChain('default'), known + 1);
  const text = await textOf(linesOf('default'));
  assert.match(text, /test\.after/);
  assert.doesNotMatch(text, /test\.lost/);
});

test('an entry carries the call that it was made in, and what is said about it', async () => {
  const origin = { request: '7d0e', address: '192.0.2.7' };
  const tenant = { ...tenantOn(database.db, { organization: 'told' }), origin };
  await audit(database.db, tenant, 'token:desk', 'license.issue', 'lic-1', { customer: 'Acmé', nodes: 3, of: ['a'] });
  const { request, address, details, number } = JSON.parse(await textOf(linesOf('told')));
  assert.deepEqual({ request, address }, origin);
  assert.deepEqual(details, { customer: 'Acmé', nodes: 3, of: ['a'] });
  assert.equal(number, 1);
  assert.equal(await wholeChain('told'), 1);
});

test('the database refuses to change, delete or empty what was written', async () => {
  const { db } = database;
  await audit(db, tenantOn(db), 'service', 'test.kept', 'kept');
  const known = await wholeChain('default');
  for (const attempt of ["update audit set subject = 'other'", 'delete from audit', 'truncate audit']) {
    await assert.rejects(sql.raw(attempt).execute(db), /never changed or deleted/, attempt);
  }
  assert.equal(await wholeChain('default'), known);
});

test('entries from before there was a chain are chained in their order, and come back in it', async () => {
  const { db } = database;
  const migrator = migratorOf(db);
  const go = async (version: string) => assert.equal((await migrator.migrateTo(version)).error, undefined);
  await go('0010-idempotency');
  await sql.raw('delete from audit').execute(db);
  await sql`insert into audit (at, actor, action, subject)
    select timestamptz '2026-01-01T00:00:00.123456Z' + n * interval '1 second', 'service', 'test.old', 'number ' || n
    from generate_series(1, 2500) as n`.execute(db);
  assert.equal((await migrator.migrateToLatest()).error, undefined);
  assert.equal(await wholeChain('default'), 2500);
  await audit(db, tenantOn(db), 'service', 'test.new', 'goes on');
  assert.equal(await wholeChain('default'), 2501);
  const first = await textOf(exportLines({ db, organization: 'default' }, 0, 1));
  assert.equal(JSON.parse(first).subject, 'number 1');

  await go('0010-idempotency');
  const { rows } = await sql<{ subject: string }>`select subject from audit order by seq`.execute(db);
  const old = Array.from({ length: 2500 }, (_, i) => `number ${i + 1}`);
  assert.deepEqual(
    rows.map(({ subject }) => subject),
    [...old, 'goes on'],
  );
  assert.equal((await migrator.migrateToLatest()).error, undefined);
  assert.equal(await wholeChain('default'), 2501);
});
