// Tokens: what they may do, for how long, and that nobody makes one that may do more than they.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import request from 'supertest';
import { SCOPES, type Scope } from '../../../../server/access/scopes.ts';
import { startTestAccess, type TestAccess } from '../../../support/access.ts';

const MINUTE = 60_000;

let t: TestAccess;
before(async () => {
  t = await startTestAccess();
});
after(() => t.close());

test('a token is shown once, kept as a hash, and listed with what it may do', async () => {
  const order = { name: 'pipeline', scopes: ['release:read', 'release:write'], products: ['cloud'] };
  const { body } = await t.admin.call('post', '/v1/tokens', order).expect(201);
  assert.match(body.token, /^rlv_[A-Za-z0-9_-]{43}$/);
  const { token, ...view } = body;
  assert.deepEqual((await t.admin.call('get', `/v1/tokens/${body.id}`).expect(200)).body, view);
  assert.deepEqual([view.scopes, view.products, view.createdBy], [order.scopes, ['cloud'], 'token:admin']);
  const { rows } = await sql<object>`select * from tokens`.execute(t.db);
  assert.ok(rows.length > 1 && !JSON.stringify(rows).includes(token));
  const who = (await t.token(token).call('get', '/v1/session').expect(200)).body;
  assert.deepEqual(
    [who.actor, who.scopes, who.products, who.person],
    ['token:pipeline', order.scopes, ['cloud'], null],
  );
});

test('a repeated order of a token answers the same token, which is nowhere in the clear', async () => {
  const order = { name: 'once', scopes: ['site:read'] };
  const make = () => t.admin.call('post', '/v1/tokens', order).set('idempotency-key', 'order-1');
  const first = (await make().expect(201)).body.token;
  assert.equal((await make().expect(201)).body.token, first);
  const { rows } = await sql<object>`select * from idempotency`.execute(t.db);
  assert.ok(rows.length > 0 && !JSON.stringify(rows).includes(first));
});

test('a token without the scope is refused and told which', async () => {
  const reader = await t.admin.make(['token:read']);
  await reader.call('get', '/v1/tokens').expect(200);
  const { body } = await reader.call('post', '/v1/tokens', { name: 'x', scopes: ['token:read'] }).expect(403);
  assert.equal(body.code, 'forbidden');
  assert.match(body.detail, /token:write/);
});

test('token scope escalation: nobody gives a token what they do not have', async () => {
  const maker = await t.admin.make(['token:write', 'site:read']);
  for (const scope of SCOPES.filter(scope => !['token:write', 'site:read'].includes(scope))) {
    const { body } = await maker.call('post', '/v1/tokens', { name: 'more', scopes: ['site:read', scope] }).expect(403);
    assert.match(body.detail, new RegExp(scope));
  }
  await maker.call('post', '/v1/tokens', { name: 'less', scopes: ['site:read'] }).expect(201);
  const { owner } = await t.organization('No service');
  for (const scope of ['service:read', 'service:write']) {
    await owner.browser.call('post', '/v1/tokens', { name: 'service', scopes: [scope] }).expect(403);
  }
});

test('a token for single products has nothing that concerns all of them, and makes none for others', async () => {
  const limited = (scope: Scope) =>
    t.admin.call('post', '/v1/tokens', { name: `limited ${scope}`, scopes: [scope], products: ['cloud'] });
  const general = [
    'trust:write',
    'webhook:read',
    'member:read',
    'member:write',
    'token:write',
    'audit:read',
    'service:write',
  ] as const;
  for (const scope of general) {
    assert.equal((await limited(scope).expect(400)).body.code, 'request-invalid', scope);
  }
  for (const scope of ['release:write', 'license:write', 'trust:read'] as const) await limited(scope).expect(201);
  const maker = await t.admin.make(['token:write', 'release:read']);
  await t.db
    .updateTable('tokens')
    .set({ products: ['cloud'] })
    .where('id', '=', maker.id)
    .execute();
  const make = (products?: string[]) =>
    maker.call('post', '/v1/tokens', { name: 'wider', scopes: ['release:read'], products });
  await make().expect(403);
  await make(['cloud', 'other']).expect(403);
  await make(['cloud']).expect(201);
});

test('expired, revoked and unknown tokens open nothing, and cannot be told apart', async () => {
  const expiresAt = new Date(t.clock.nowMs + MINUTE).toISOString();
  const [expired, revoked] = [await t.admin.make(['site:read'], { expiresAt }), await t.admin.make(['site:read'])];
  for (const token of [expired, revoked]) await token.call('get', '/v1/session').expect(200);
  t.clock.nowMs += MINUTE;
  await t.admin.call('delete', `/v1/tokens/${revoked.id}`).expect(204);
  const unknown = t.token(`rlv_${'A'.repeat(43)}`);
  const answers = [];
  for (const token of [expired, revoked, unknown, t.token('nonsense'), t.token('')]) {
    const { requestId: _, ...problem } = (await token.call('get', '/v1/session').expect(401)).body;
    answers.push(problem);
  }
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
  await t.admin.call('delete', `/v1/tokens/${revoked.id}`).expect(404);
  await t.admin.call('get', `/v1/tokens/${revoked.id}`).expect(404);
  const past = { name: 'past', scopes: ['site:read'], expiresAt: new Date(t.clock.nowMs).toISOString() };
  assert.equal((await t.admin.call('post', '/v1/tokens', past).expect(400)).body.code, 'request-invalid');
});

test('a header that is not good is not made up for by a cookie', async () => {
  const { browser } = await t.member('owner');
  const call = request(t.app).get('/v1/session').set('cookie', `rollover=${browser.cookie()}`);
  await call.set('authorization', 'Bearer rlv_wrong').expect(401);
});

test('a name belongs to one token at a time, so that the audit knows who it was', async () => {
  const make = () => t.admin.call('post', '/v1/tokens', { name: 'nightly', scopes: ['site:read'] });
  const both = await Promise.all([make(), make()]);
  assert.deepEqual(both.map(({ status }) => status).sort(), [201, 409]);
  const refused = both.find(({ status }) => status === 409);
  assert.equal(refused?.body.code, 'token-exists');
  const made = both.find(({ status }) => status === 201);
  await t.admin.call('delete', `/v1/tokens/${made?.body.id}`).expect(204);
  await make().expect(201);
  const { all } = await t.organization('Same name');
  await all.call('post', '/v1/tokens', { name: 'nightly', scopes: ['site:read'] }).expect(201);
});

test('when a token was last used is written down once a minute', async () => {
  const token = await t.admin.make(['token:read']);
  const lastUsed = async () => (await t.admin.call('get', `/v1/tokens/${token.id}`)).body.lastUsedAt;
  const use = () => token.call('get', '/v1/session').expect(200);
  assert.equal(await lastUsed(), null);
  await use();
  const first = new Date(t.clock.nowMs).toISOString();
  assert.equal(await lastUsed(), first);
  t.clock.nowMs += MINUTE - 1;
  await use();
  assert.equal(await lastUsed(), first);
  t.clock.nowMs += 1;
  await use();
  assert.equal(await lastUsed(), new Date(t.clock.nowMs).toISOString());
});

test('a scope that no longer exists allows nothing', async () => {
  const token = await t.admin.make(['site:read']);
  await t.db
    .updateTable('tokens')
    .set({ scopes: ['site:read', 'moon:write'] })
    .where('id', '=', token.id)
    .execute();
  assert.deepEqual((await token.call('get', '/v1/session').expect(200)).body.scopes, ['site:read']);
});
