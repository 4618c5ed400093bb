// Webhooks over the API, from creating one to the delivery that arrives: with the real queue, over a real connection.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Express } from 'express';
import request from 'supertest';
import { auditRoutes } from '../../../../server/audit/routes.ts';
import type { Tenant } from '../../../../server/context.ts';
import { emit } from '../../../../server/webhooks/emit.ts';
import { openWebhookQueue } from '../../../../server/webhooks/jobs.ts';
import { parseNetworks } from '../../../../server/webhooks/networks.ts';
import { webhookRoutes } from '../../../../server/webhooks/routes.ts';
import { signatureHeaders } from '../../../../server/webhooks/signature.ts';
import { testApi } from '../../../support/api.ts';
import { startTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { type Receiver, startReceiver } from '../../../support/receiver.ts';
import { tenantOn } from '../../../support/tenant.ts';

const HOOK = { url: 'https://hooks.example/rollover?key=in-the-address', events: ['license.revoked'] };
const NETWORKS = parseNetworks(['127.0.0.0/8']);

let database: TestDatabase;
let tenant: Tenant;
let app: Express;
let receiver: Receiver;
before(async () => {
  database = await startTestDatabase();
  receiver = await startReceiver();
  tenant = tenantOn(database.db, { organization: 'acme' });
  app = testApi([...webhookRoutes(NETWORKS), ...auditRoutes], tenant);
});
after(async () => {
  await receiver.close();
  await database.close();
});

const as = (caller: string) => {
  const token = `Bearer ${caller}`;
  return {
    get: (path: string) => request(app).get(path).set('authorization', token),
    post: (path: string, body: object = {}) => request(app).post(path).set('authorization', token).send(body),
    patch: (path: string, body: object) => request(app).patch(path).set('authorization', token).send(body),
    delete: (path: string) => request(app).delete(path).set('authorization', token),
  };
};
const owner = as('acme owner');

test('the secret is shown once, and ends neither in a view nor in the audit log', async () => {
  const { body, headers } = await owner.post('/v1/webhooks', HOOK).set('idempotency-key', 'once').expect(201);
  const { secret, id } = body;
  const again = await owner.post('/v1/webhooks', HOOK).set('idempotency-key', 'once').expect(201);
  assert.deepEqual(again.body, body, 'a call that is repeated because its answer got lost gets it');
  assert.match(secret, /^whsec_/);
  assert.equal(headers['etag'], '"1"');
  const rotated = await owner.post(`/v1/webhooks/${id}/rotate-secret`).expect(200);
  assert.notEqual(rotated.body.secret, secret);
  const texts = [
    (await owner.get(`/v1/webhooks/${id}`).expect(200)).text,
    (await owner.get('/v1/webhooks').expect(200)).text,
    (await owner.get('/v1/audit/export').expect(200)).text,
    JSON.stringify(await database.db.selectFrom('idempotency').selectAll().execute()),
    JSON.stringify(await database.db.selectFrom('webhooks').selectAll().execute()),
  ];
  assert.match(texts[2] ?? '', /webhook\.create.*hooks\.example/);
  for (const text of texts) {
    for (const known of [secret, rotated.body.secret]) assert.ok(!text.includes(known.slice(6)));
  }
  assert.doesNotMatch(texts[2] ?? '', /in-the-address/, 'addresses of webhooks often are secrets themselves');
});

test('lists come in pages; one is changed by who has seen its revision; deleted it is gone', async () => {
  const { body: before } = await owner.get('/v1/webhooks?limit=200');
  const ids = before.items.map(({ id }: { id: string }) => id);
  for (let i = 0; i < 3; i++) ids.push((await owner.post('/v1/webhooks', HOOK).expect(201)).body.id);
  const seen: string[] = [];
  for (let path: string | undefined = '/v1/webhooks?limit=2'; path; ) {
    const { body }: { body: { items: { id: string }[]; next: string | null } } = await owner.get(path).expect(200);
    seen.push(...body.items.map(({ id }) => id));
    path = body.next === null ? undefined : `/v1/webhooks?limit=2&cursor=${body.next}`;
  }
  assert.deepEqual(seen, ids);

  const path = `/v1/webhooks/${ids.at(-1)}`;
  const changed = await owner
    .patch(path, { events: ['*'], enabled: false })
    .set('if-match', '"1"')
    .expect(200);
  assert.deepEqual([changed.body.events, changed.body.enabled, changed.body.revision], [['*'], false, 2]);
  const late = await owner.patch(path, { enabled: true }).set('if-match', '"1"').expect(412);
  assert.equal(late.body.code, 'precondition-failed');
  assert.equal((await owner.post(`${path}/ping`).expect(409)).body.code, 'webhook-disabled');
  await owner.patch(path, { enabled: true }).set('if-match', '"2"').expect(200);
  await owner.delete(path).expect(204);
  await owner.get(path).expect(404);
  await owner.delete(path).expect(404);
});

test('addresses that lead inside are refused when they are written, and when they are changed', async () => {
  const { body } = await owner.post('/v1/webhooks', HOOK).expect(201);
  for (const url of [
    'https://169.254.169.254/latest',
    'https://[::ffff:10.0.0.1]/',
    'https://0xa000001/',
    'ftp://x/',
  ]) {
    assert.equal((await owner.post('/v1/webhooks', { ...HOOK, url }).expect(400)).body.code, 'webhook-refused', url);
    assert.equal((await owner.patch(`/v1/webhooks/${body.id}`, { url }).expect(400)).body.code, 'webhook-refused', url);
  }
  await owner.post('/v1/webhooks', { ...HOOK, events: [] }).expect(400);
  await owner.post('/v1/webhooks', { ...HOOK, events: ['license.stolen'] }).expect(400);
});

test('another organization’s webhook is not there: not to see, change, delete, test, rotate or replay', async () => {
  const { id } = (await owner.post('/v1/webhooks', HOOK).expect(201)).body;
  const { body: delivery } = await owner.post(`/v1/webhooks/${id}/ping`).expect(202);
  const rival = as('rival owner');
  const path = `/v1/webhooks/${id}`;
  const attempts = [
    rival.get(path),
    rival.patch(path, { enabled: false }),
    rival.delete(path),
    rival.post(`${path}/ping`),
    rival.post(`${path}/rotate-secret`),
    rival.get(`${path}/deliveries`),
    rival.post(`${path}/deliveries/${delivery.id}/replay`),
    rival.post(`${path}/replay`, { since: '2020-01-01T00:00:00Z' }),
  ];
  for (const attempt of attempts) assert.equal((await attempt.expect(404)).body.code, 'not-found');
  const { id: own } = (await rival.post('/v1/webhooks', HOOK).expect(201)).body;
  await rival.post(`/v1/webhooks/${own}/deliveries/${delivery.id}/replay`).expect(404);
  assert.equal((await owner.get(path).expect(200)).body.revision, 1);
});

test('readers read, and only they who may write write; nobody whose token is for some products', async () => {
  const { id } = (await owner.post('/v1/webhooks', HOOK).expect(201)).body;
  const auditor = as('acme auditor');
  await auditor.get(`/v1/webhooks/${id}`).expect(200);
  assert.match((await auditor.post(`/v1/webhooks/${id}/ping`).expect(403)).body.detail, /webhook:write/);
  const limited = as('acme owner cloud');
  for (const attempt of [
    limited.post('/v1/webhooks', HOOK),
    limited.get('/v1/webhooks'),
    limited.delete(`/v1/webhooks/${id}`),
  ]) {
    assert.match((await attempt.expect(403)).body.detail, /all products/);
  }
});

test('an organization has so many webhooks and no more, however many ask at once', async () => {
  const crowd = as('crowd owner');
  const answers = await Promise.all(Array.from({ length: 25 }, () => crowd.post('/v1/webhooks', HOOK)));
  assert.equal(answers.filter(({ status }) => status === 201).length, 20);
  for (const { status, body } of answers) assert.ok(status === 201 || body.code === 'webhook-limit');
});

test('a test event and a real one arrive, signed; a failure is shown and replayed', async t => {
  const queue = await openWebhookQueue(
    tenant,
    { connection: database.connection, redisUrl: undefined },
    NETWORKS,
    error => t.diagnostic(String(error)),
  );
  t.after(() => queue.close());
  const { id, secret } = (await owner.post('/v1/webhooks', { ...HOOK, url: receiver.url }).expect(201)).body;
  const arrived = async (state: string, type: string) => {
    for (;;) {
      const { body } = await owner.get(`/v1/webhooks/${id}/deliveries?state=${state}`).expect(200);
      const found = body.items.find((delivery: { type: string }) => delivery.type === type);
      if (found) return found;
      await sleep(50);
    }
  };
  await owner.post(`/v1/webhooks/${id}/ping`).expect(202);
  const ping = await arrived('succeeded', 'ping');
  const got = receiver.received.find(each => each.id === ping.event);
  assert.ok(got);
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const at = new Date(Number(got.headers['webhook-timestamp']) * 1000);
  assert.equal(got.headers['webhook-signature'], signatureHeaders(got.id, at, got.body, [key])['webhook-signature']);

  receiver.answer = 503;
  await tenant.db
    .transaction()
    .execute(db => emit(db, tenant, { type: 'license.revoked', data: { license: 'lic-1' } }));
  const failed = await arrived('failed', 'license.revoked');
  assert.equal(failed.lastStatus, 503);
  receiver.answer = 200;
  await owner.post(`/v1/webhooks/${id}/deliveries/${failed.id}/replay`).expect(204);
  const done = await arrived('succeeded', 'license.revoked');
  assert.equal(done.event, failed.event);
  const { body } = await owner.post(`/v1/webhooks/${id}/replay`, {
    since: '2020-01-01T00:00:00Z',
    states: ['succeeded'],
  });
  assert.deepEqual(body, { replayed: 2 });
});
