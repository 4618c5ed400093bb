// What people change about how they sign in, and how somebody who has lost everything comes in again.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { authenticatorCode, enrol, PASSWORD, startTestAccess, type TestAccess } from '../../../support/access.ts';

const NEXT = 'other words that fit no better';
const PATH = '/v1/account/authenticator';

let t: TestAccess;
before(async () => {
  t = await startTestAccess();
});
after(() => t.close());

const fresh = () => t.member('auditor');
const codeOf = (secret: string) => authenticatorCode(secret, t.clock.nowMs);
const later = () => {
  t.clock.nowMs += 30_000;
};

test('a new password signs out everywhere else, and the old one opens nothing', async () => {
  const { browser, email } = await fresh();
  const elsewhere = t.browser();
  await elsewhere.signIn(email);
  const before = browser.cookie();
  const { body } = await browser.call('put', '/v1/account/password', { password: PASSWORD, next: NEXT }).expect(200);
  browser.csrf = body.csrf;
  assert.notEqual(browser.cookie(), before);
  assert.equal((await browser.call('get', '/v1/session').expect(200)).body.person.csrf, body.csrf);
  await elsewhere.call('get', '/v1/session').expect(401);
  assert.equal((await t.browser().signIn(email)).status, 401);
  assert.equal((await t.browser().signIn(email, NEXT)).status, 200);
});

test('a stolen session changes nothing without the password, and cannot guess it', async () => {
  const { browser, email } = await fresh();
  const calls = [
    ['/v1/account/password', { password: 'wrong', next: NEXT }],
    [PATH, { state: 'enrolling', password: 'wrong' }],
    [PATH, { state: 'none', password: 'wrong' }],
  ] as const;
  for (const [path, body] of calls) {
    assert.equal((await browser.call('put', path, body).expect(403)).body.code, 'proof-refused');
  }
  for (let guess = 0; guess < 2; guess++) await browser.call('put', PATH, calls[1][1]).expect(403);
  const { body, headers } = await browser.call('put', PATH, calls[1][1]).expect(429);
  assert.equal(body.code, 'too-many-requests');
  assert.equal(headers['retry-after'], '1');
  assert.equal((await t.browser().signIn(email)).status, 200, 'its owner still signs in');
});

test('weak passwords are refused, and the refusal says why', async () => {
  const { browser, email } = await fresh();
  const refusals = [
    ['eleven char', /has 11 characters; 12 are the least/],
    ['PasswordPassword', /everybody tries first/],
    ['aaaaaaaaaaaabb', /a few characters over and over/],
    [email, /is the e-mail address/],
  ] as const;
  for (const [next, reason] of refusals) {
    const { body } = await browser.call('put', '/v1/account/password', { password: PASSWORD, next }).expect(400);
    assert.equal(body.code, 'password-weak');
    assert.match(body.detail, reason);
  }
  const tooLong = { password: PASSWORD, next: 'x y z w'.repeat(40) };
  assert.equal((await browser.call('put', '/v1/account/password', tooLong).expect(400)).body.code, 'request-invalid');
});

test('an enrolment answers what authenticators read, and counts only once its first code was right', async () => {
  const { browser, email } = await fresh();
  assert.equal(
    (await browser.call('put', PATH, { state: 'enrolled', code: '123456' }).expect(409)).body.code,
    'second-step-state',
  );
  const { body } = await browser.call('put', PATH, { state: 'enrolling', password: PASSWORD }).expect(200);
  const uri = new URL(body.uri);
  assert.equal(uri.protocol, 'otpauth:');
  assert.equal(decodeURIComponent(uri.pathname), `//totp/Rollover:${email}`.replace('//totp', ''));
  assert.equal(uri.searchParams.get('secret'), body.secret);
  const wrong = codeOf(body.secret) === '000000' ? '000001' : '000000';
  assert.equal(
    (await browser.call('put', PATH, { state: 'enrolled', code: wrong }).expect(403)).body.code,
    'proof-refused',
  );
  assert.equal((await t.browser().signIn(email)).body.state, 'signed-in', 'not enrolled yet');
  await browser.call('put', PATH, { state: 'enrolled', code: codeOf(body.secret) }).expect(200);
  assert.equal((await t.browser().signIn(email)).body.state, 'second-step');
});

test('the secret of an authenticator is sealed in the database, for its person only', async () => {
  const [one, two] = [await fresh(), await fresh()];
  const { secret } = await enrol(one, t.clock);
  const row = await t.db.selectFrom('users').selectAll().where('id', '=', one.id).executeTakeFirstOrThrow();
  assert.ok(row.totp_sealed && row.totp_sealed.length > 20);
  await t.db.updateTable('users').set({ totp_sealed: row.totp_sealed }).where('id', '=', two.id).execute();
  const { body } = await t.browser().signIn(two.email);
  const answer = { ticket: body.ticket, code: codeOf(secret) };
  assert.equal((await t.browser().call('post', '/v1/session/second-step', answer)).body.code, 'secret-unsealable');
});

test('another authenticator takes over once it has shown a code; the password alone neither changes nor removes it', async () => {
  const { browser, email, id } = await fresh();
  const { secret: old } = await enrol({ browser, email, id }, t.clock);
  later();
  await browser.call('put', PATH, { state: 'enrolling', password: PASSWORD }).expect(403);
  await browser.call('put', PATH, { state: 'none', password: PASSWORD }).expect(403);
  await browser.call('put', '/v1/account/password', { password: PASSWORD, next: NEXT }).expect(403);
  const begun = { state: 'enrolling', password: PASSWORD, code: codeOf(old) };
  const { secret } = (await browser.call('put', PATH, begun).expect(200)).body;
  later();
  const withOld = await t.browser().signIn(email);
  const ticket = { ticket: withOld.body.ticket, code: codeOf(old) };
  await t.browser().call('post', '/v1/session/second-step', ticket).expect(200);
  const taken = await browser.call('put', PATH, { state: 'enrolled', code: codeOf(secret) }).expect(200);
  browser.csrf = taken.body.csrf;
  assert.equal(taken.body.recoveryCodes.length, 10);
  later();
  const removed = await browser
    .call('put', PATH, { state: 'none', password: PASSWORD, code: codeOf(secret) })
    .expect(200);
  browser.csrf = removed.body.csrf;
  const { person } = (await browser.call('get', '/v1/session').expect(200)).body;
  assert.deepEqual([person.secondStep, person.recoveryCodesLeft], [false, 0]);
  assert.equal((await t.browser().signIn(email)).body.state, 'signed-in');
});

test('an enrolment that two browsers end at the same time ends once', async () => {
  const { browser } = await fresh();
  const { secret } = (await browser.call('put', PATH, { state: 'enrolling', password: PASSWORD }).expect(200)).body;
  const end = () => browser.call('put', PATH, { state: 'enrolled', code: codeOf(secret) });
  const statuses = (await Promise.all([end(), end()])).map(({ status }) => status).sort();
  assert.equal(statuses[0], 200);
  assert.ok(statuses[1] === 401 || statuses[1] === 409, String(statuses[1]));
});

test('a token is nobody: it has no password and no authenticator', async () => {
  const { body } = await t.admin.call('put', '/v1/account/password', { password: PASSWORD, next: NEXT }).expect(403);
  assert.equal(body.code, 'session-missing');
  await t.admin.call('put', PATH, { state: 'none', password: PASSWORD }).expect(403);
  await t.admin.call('put', '/v1/session', { organization: 'default' }).expect(403);
});

test('who has lost password and authenticator gets a one-time token from whoever runs the service', async () => {
  const member = await fresh();
  await enrol(member, t.clock);
  const { body } = await t.admin.call('post', `/v1/people/${member.id}/recovery`).expect(201);
  const recover = (token: string, password = NEXT) =>
    t.browser().call('put', '/v1/account/recovery', { token, password });
  assert.equal((await recover(body.token, 'short').expect(400)).body.code, 'password-weak');
  await member.browser.call('get', '/v1/session').expect(200);
  await recover(body.token).expect(204);
  await member.browser.call('get', '/v1/session').expect(401);
  assert.equal((await t.browser().signIn(member.email, NEXT)).body.state, 'signed-in', 'the authenticator is gone');
  assert.equal((await recover(body.token).expect(400)).body.code, 'invitation-invalid');
  const late = (await t.admin.call('post', `/v1/people/${member.id}/recovery`).expect(201)).body;
  t.clock.nowMs += 24 * 3600_000;
  await recover(late.token).expect(400);
  assert.equal((await t.admin.call('post', '/v1/people/usr-unknown/recovery').expect(404)).body.code, 'not-found');
});
