// The audit log as auditors get it: over the API, for their own organization only, and on the command line.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Express } from 'express';
import { sql } from 'kysely';
import request from 'supertest';
import { type Actor, audit } from '../../../../server/audit/audit.ts';
import { type ChainedEntry, entryHash } from '../../../../server/audit/chain.ts';
import { exportLines } from '../../../../server/audit/entries.ts';
import { readHead, type SignedHead } from '../../../../server/audit/head.ts';
import { auditRoutes } from '../../../../server/audit/routes.ts';
import { verifyAuditExport } from '../../../../server/audit/verify.ts';
import { onlineKey } from '../../../../server/secrets.ts';
import { keyIdOf, publicKeyOf, signJws } from '../../../../signing/index.ts';
import { testApi } from '../../../support/api.ts';
import { startTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { rejectsWith } from '../../../support/errors.ts';
import { LAUNCHER } from '../../../support/processes.ts';
import { temporary } from '../../../support/temporary.ts';
import { tenantOn, testVault } from '../../../support/tenant.ts';

let database: TestDatabase;
let app: Express;
let server: Server;
const vault = testVault();

before(async () => {
  database = await startTestDatabase();
  const { db } = database;
  await database.organizations('acme', 'nobody', 'odd');
  app = testApi(auditRoutes, tenantOn(db, { vault }));
  server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  for (let i = 1; i <= 7; i++) await write('acme', 'token:desk', 'license.issue', `lic-${i}`);
  await write('acme', 'service', 'release.publish', 'cloud 5.1.0 to stable');
  await write('rival', 'token:boss', 'license.issue', 'lic-of-rival');
});
after(async () => {
  server.close();
  await database.close();
});

const write = (organization: string, actor: Actor, action: string, subject: string) =>
  audit(database.db, tenantOn(database.db, { organization }), actor, action, subject);

const get = (path: string, caller = 'acme auditor') => request(app).get(path).set('authorization', `Bearer ${caller}`);

test('the log comes in pages, newest first, and by actor, action and time', async () => {
  const seen: number[] = [];
  let path = '/v1/audit?limit=3';
  for (;;) {
    const { body } = await get(path).expect(200);
    seen.push(...body.items.map(({ number }: { number: number }) => number));
    if (body.next === null) break;
    path = `/v1/audit?limit=3&cursor=${body.next}`;
  }
  assert.deepEqual(seen, [8, 7, 6, 5, 4, 3, 2, 1]);
  const subjects = async (query: string) =>
    (await get(`/v1/audit?${query}`).expect(200)).body.items.map(({ subject }: { subject: string }) => subject);
  assert.deepEqual(await subjects('action=release.publish'), ['cloud 5.1.0 to stable']);
  assert.deepEqual(await subjects('actor=token:desk&subject=lic-2'), ['lic-2']);
  assert.deepEqual(await subjects('until=2020-01-01T00:00:00Z'), []);
  assert.equal((await subjects('since=2020-01-01T00:00:00Z')).length, 8);
  await get('/v1/audit?since=yesterday').expect(400);
});

test('an organization sees its own log only; without the scope, or for some products only, nobody sees it', async () => {
  const { body } = await get('/v1/audit', 'rival owner').expect(200);
  assert.deepEqual(
    body.items.map(({ subject }: { subject: string }) => subject),
    ['lic-of-rival'],
  );
  const { text } = await get('/v1/audit/export', 'rival owner').expect(200);
  assert.doesNotMatch(text, /acme/);
  for (const path of ['/v1/audit', '/v1/audit/export', '/v1/audit/head']) {
    assert.match((await get(path, 'acme license:read').expect(403)).body.detail, /audit:read/);
    assert.match((await get(path, 'acme owner cloud').expect(403)).body.detail, /all products/);
    await request(app).get(path).expect(401);
  }
});

test('an export is whole, and goes on after what is there already', async () => {
  const { text, headers } = await get('/v1/audit/export').expect(200);
  assert.match(headers['content-type'] ?? '', /x-ndjson/);
  const lines = text.trimEnd().split('\n');
  const { findings, entries } = await verifyAuditExport(lines);
  assert.deepEqual(findings, []);
  assert.equal(entries, 8);
  const parts = [await get('/v1/audit/export?limit=5'), await get('/v1/audit/export?after=5')];
  assert.equal(parts.map(part => part.text).join(''), text);
});

test('a head is the service’s signed word: a forged one, or another document of the same key, is none', async () => {
  const { body } = await get('/v1/audit/head').expect(200);
  const read = (change: Partial<SignedHead>) => readHead(Buffer.from(JSON.stringify({ ...body, ...change })));
  const { organization, number } = await read({});
  assert.deepEqual({ organization, number }, { organization: 'acme', number: 8 });
  assert.equal((await read({ number: 3 })).number, 8, 'what counts is what was signed');
  const [header, , signature] = body.signed.split('.');
  const payload = { version: 1, organization, number: 3, hash: body.hash, at: body.at };
  const forged = [header, Buffer.from(JSON.stringify(payload)).toString('base64url'), signature].join('.');
  await rejectsWith('audit-head-invalid', () => read({ signed: forged }));
  const key = await onlineKey({ db: database.db, vault, organization: 'acme' }, 'director');
  const other = await signJws('rollover-director', payload, key, keyIdOf(publicKeyOf(key)));
  await rejectsWith('audit-head-invalid', () => read({ signed: other }));
  const empty = (await get('/v1/audit/head', 'nobody owner').expect(200)).body;
  assert.equal(empty.number, 0);
});

test('an auditor verifies with the Python of docs/audit.md and nothing of ours', async t => {
  const directory = await temporary(t);
  const page = await readFile(new URL('../../../../docs/audit.md', import.meta.url), 'utf8');
  const code = /```python\n([\s\S]+?)```/.exec(page)?.[1];
  assert.ok(code);
  const python = () =>
    new Promise<string | undefined>(resolve => {
      execFile('python3', ['-c', code], { cwd: directory }, (error, stdout) => resolve(error ? undefined : stdout));
    });
  const odd = { name: 'a "quoted" \\ ümlaut\n', yes: true, nothing: null, few: ['x', 'y'], count: -3 };
  await audit(database.db, tenantOn(database.db, { organization: 'odd' }), 'service', 'test.odd', 'Größe "1"', odd);
  await audit(database.db, tenantOn(database.db, { organization: 'odd' }), 'service', 'test.odd', '2');
  const { text } = await get('/v1/audit/export', 'odd owner').expect(200);
  await writeFile(join(directory, 'audit.jsonl'), text);
  if (!(await hasPython())) return t.skip('there is no python3 here');
  const { body } = await get('/v1/audit/head', 'odd owner').expect(200);
  assert.equal((await python())?.trim(), `2 ${body.hash}`);
  await writeFile(join(directory, 'audit.jsonl'), text.replace('ümlaut', 'umlaut'));
  assert.equal(await python(), undefined);
});

const hasPython = () => new Promise(resolve => execFile('python3', ['--version'], error => resolve(error === null)));

/** What somebody does who can write to the database, knows how entries are hashed, and puts everything in order again. */
async function rewriteHistory(organization: string, number: number, subject: string): Promise<void> {
  const { db } = database;
  await sql`alter table audit disable trigger audit_only_grows`.execute(db);
  let previous: string | undefined;
  for await (const line of exportLines({ db, organization }, number - 1)) {
    const { hash: _, ...known } = JSON.parse(line) as ChainedEntry;
    const entry = { ...known, previous: previous ?? known.previous, ...(previous === undefined ? { subject } : {}) };
    const { previous: before } = entry;
    previous = entryHash(entry);
    await sql`update audit set subject = ${entry.subject}, previous = ${before}, hash = ${previous}
      where organization = ${organization} and number = ${entry.number}`.execute(db);
  }
  await sql`alter table audit enable trigger audit_only_grows`.execute(db);
}

test('on the command line: list, export, verify; and history that is rewritten in the database is told by a head that was kept', async t => {
  const directory = await temporary(t);
  const [log, head] = [join(directory, 'log'), join(directory, 'head')];
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const rollover = (...args: string[]) =>
    new Promise<{ code: number; stdout: string; stderr: string }>(resolve => {
      const service = args[0] === 'verify' ? [] : ['--server', url];
      const command = ['--disable-warning=ExperimentalWarning', LAUNCHER, 'audit', ...args, ...service];
      const env = { ...process.env, ROLLOVER_TOKEN: 'acme auditor' };
      execFile(process.execPath, command, { env }, (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
      });
    });
  assert.match(
    (await rollover('list', '--action', 'release.publish')).stdout,
    /service +release\.publish +cloud 5\.1\.0/,
  );
  assert.equal((await rollover('head', '--out', head)).code, 0);
  assert.equal((await rollover('export', '--out', log)).code, 0);
  assert.equal((await rollover('export', '--out', log)).code, 9, 'nothing is overwritten');
  const whole = await rollover('verify', log, '--head', head);
  assert.equal(whole.code, 0, whole.stderr);
  assert.match(whole.stdout, /whole: 8 lines.*\n.*entry 8 as the service had signed it/);

  const lines = (await readFile(log, 'utf8')).split('\n');
  const spoiled = join(directory, 'spoiled');
  await writeFile(spoiled, lines.toSpliced(2, 1).join('\n'));
  const broken = await rollover('verify', spoiled, '--json');
  assert.equal(broken.code, 5);
  assert.deepEqual(
    JSON.parse(broken.stdout).findings.map(({ kind }: { kind: string }) => kind),
    ['removed'],
  );
  assert.equal(JSON.parse(broken.stderr).error.code, 'audit-broken');
  await writeFile(spoiled, `${lines.slice(0, 5).join('\n')}\n`);
  assert.equal((await rollover('verify', spoiled)).code, 0);
  assert.match((await rollover('verify', spoiled, '--head', head)).stdout, /cut/);
  assert.equal((await rollover('verify', log, '--head', log)).code, 3);

  await rewriteHistory('acme', 3, 'lic-of-a-friend');
  const later = join(directory, 'later');
  assert.equal((await rollover('export', '--out', later)).code, 0);
  assert.match(await readFile(later, 'utf8'), /lic-of-a-friend/);
  assert.equal((await rollover('verify', later)).code, 0, 'in itself it is whole');
  const told = await rollover('verify', later, '--head', head);
  assert.equal(told.code, 5);
  assert.match(told.stdout, /rewritten/);
});
