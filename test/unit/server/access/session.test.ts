// Attack stories about signing in: guessing, enumerating, planting and stealing sessions, forging requests, replaying codes.
import assert from 'node:assert/strict';
import { after, before, mock, test } from 'node:test';
import { sql } from 'kysely';
import request from 'supertest';
import { openAccess } from '../../../../server/access/access.ts';
import {
  authenticatorCode,
  enrol,
  type Member,
  PASSWORD,
  startTestAccess,
  type TestAccess,
} from '../../../support/access.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let t: TestAccess;
before(async () => {
  t = await startTestAccess();
});
after(() => t.close());

const fresh = () => t.member('support');
/** Nobody has tried anything for a day. */
const rest = () => {
  t.clock.nowMs += 25 * HOUR;
};

test('a person signs in, is told who they are, and signs out', async () => {
  const { browser, email } = await fresh();
  const { body, headers } = await browser.call('get', '/v1/session').expect(200);
  assert.equal(body.actor, `user:${email}`);
  assert.deepEqual([body.organization.id, body.person.role, body.person.email], ['default', 'support', email]);
  assert.equal(body.person.csrf, browser.csrf);
  assert.ok(body.scopes.includes('site:write') && !body.scopes.includes('license:write'));
  assert.equal(headers['cache-control'], 'no-store');
  await browser.call('delete', '/v1/session').expect(204);
  assert.equal((await browser.call('get', '/v1/session').expect(401)).body.code, 'unauthorized');
});

test('the cookie is out of reach of scripts, of other sites and of other hosts', async () => {
  const { email } = await fresh();
  const local = await t.browser().signIn(email);
  assert.match(String(local.headers['set-cookie']), /^rollover=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  const { sessionCookie } = openAccess({ publicUrl: 'https://rollover.example' });
  const written: unknown[][] = [];
  sessionCookie.write({ cookie: (...words: unknown[]) => written.push(words) } as never, 'secret');
  assert.deepEqual(written, [
    ['__Host-rollover', 'secret', { httpOnly: true, sameSite: 'strict', secure: true, path: '/' }],
  ]);
});

test('over plain http nobody signs in but on the machine itself, under its own name', async () => {
  const { email } = await fresh();
  const attempt = request(t.app).post('/v1/session').set('host', 'rollover.example');
  const { body } = await attempt.send({ email, password: PASSWORD }).expect(403);
  assert.equal(body.code, 'sign-in-insecure');
});

test('session fixation: a planted session is worth nothing after its victim has signed in', async () => {
  const { email } = await fresh();
  const victim = t.browser();
  const attacker = await fresh();
  const planted = attacker.browser.cookie();
  assert.ok(planted);
  const signIn = request(t.app).post('/v1/session').set('cookie', `rollover=${planted}`);
  const answer = await signIn.send({ email, password: PASSWORD }).expect(200);
  const given = /rollover=([\w-]{43})/.exec(String(answer.headers['set-cookie']))?.[1];
  assert.ok(given !== undefined && given !== planted);
  await attacker.browser.call('get', '/v1/session').expect(401);
  const unknown = 'A'.repeat(43);
  await request(t.app).get('/v1/session').set('cookie', `rollover=${unknown}`).expect(401);
  assert.equal(victim.cookie(), undefined);
});

test('of two cookies of one name, somebody else has made one: neither is believed', async () => {
  const { browser } = await fresh();
  const [own, other] = [browser.cookie(), (await fresh()).browser.cookie()];
  for (const cookies of [`rollover=${own}; rollover=${other}`, `rollover=${other}; rollover=${own}`]) {
    await request(t.app).get('/v1/session').set('cookie', cookies).expect(401);
  }
  await request(t.app).get('/v1/session').set('cookie', `x=1; rollover=${own}`).expect(200);
});

test('CSRF from another site: a change needs the page it comes from and the token of the session', async () => {
  const { browser } = await t.member('owner');
  const order = { name: 'forged', scopes: ['site:read'] };
  const forge = (headers: Record<string, string>) =>
    request(t.app).post('/v1/tokens').set('cookie', `rollover=${browser.cookie()}`).set(headers).send(order);
  for (const from of ['cross-site', 'same-site']) {
    const { body } = await forge({ 'sec-fetch-site': from, 'x-csrf-token': browser.csrf }).expect(403);
    assert.equal(body.code, 'csrf-refused');
  }
  for (const headers of [{}, { 'x-csrf-token': 'x' }, { 'x-csrf-token': (await fresh()).browser.csrf }]) {
    assert.equal((await forge({ 'sec-fetch-site': 'same-origin', ...headers }).expect(403)).body.code, 'csrf-refused');
  }
  await forge({ 'x-csrf-token': browser.csrf }).expect(201);
});

test('CSRF of the sign-in: another site signs nobody in, neither by script nor by a form', async () => {
  const { email } = await fresh();
  const attempt = () => request(t.app).post('/v1/session');
  const { body } = await attempt().set('sec-fetch-site', 'cross-site').send({ email, password: PASSWORD }).expect(403);
  assert.equal(body.code, 'csrf-refused');
  const form = await attempt().type('form').send({ email, password: PASSWORD }).expect(400);
  assert.equal(form.headers['set-cookie'], undefined);
});

test('user enumeration: unknown, wrong, disabled and homeless accounts get one answer and cost one hash', async () => {
  const [known, disabled, homeless] = [await fresh(), await fresh(), await fresh()];
  await t.admin.call('patch', `/v1/people/${disabled.id}`, { disabled: true }).expect(200);
  await t.db.deleteFrom('memberships').where('user_id', '=', homeless.id).execute();
  const verify = mock.method(t.access.passwords, 'verify');
  const answers = [];
  for (const [email, password] of [
    [known.email, 'not the right password'],
    ['nobody@example.com', PASSWORD],
    [disabled.email, PASSWORD],
    [homeless.email, PASSWORD],
  ] as const) {
    const { status, body, headers } = await t.browser().signIn(email, password);
    const { requestId: _, ...problem } = body;
    assert.equal(headers['set-cookie'], undefined);
    answers.push({ status, problem, names: Object.keys(headers).sort() });
  }
  assert.equal(verify.mock.callCount(), answers.length);
  verify.mock.restore();
  assert.equal(answers[0]?.status, 401);
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
});

test('an unknown account is compared at the cost of a known one', async () => {
  const { passwords } = t.access;
  /** Microseconds of processor: the least of several tries, as others work on this machine too. */
  const spent = async (work: () => Promise<unknown>) => {
    const tries: number[] = [];
    for (let i = 0; i < 20; i++) {
      const before = process.cpuUsage();
      await work();
      const { user, system } = process.cpuUsage(before);
      tries.push(user + system);
    }
    return Math.min(...tries);
  };
  const stored = await passwords.hash(PASSWORD);
  const known = await spent(() => passwords.verify(stored, 'wrong'));
  const unknown = await spent(() => passwords.verify(undefined, 'wrong'));
  assert.ok(unknown > known / 4 && unknown < known * 4, `${unknown} µs, ${known} µs`);
});

test('brute force of an account: after a few guesses each next one has to wait longer, known or not', async () => {
  const { email } = await fresh();
  for (const account of [email, 'unknown@example.com']) {
    rest();
    const waits: number[] = [];
    for (let guess = 0; guess < 8; guess++) {
      const wrong = await t.browser().signIn(account, `guess ${guess}`);
      assert.equal(wrong.status, 401, `guess ${guess} of ${account}`);
      if (guess < 4) continue;
      const { status, body, headers } = await t.browser().signIn(account, PASSWORD);
      assert.deepEqual([status, body.code], [429, 'too-many-requests']);
      const wait = Number(headers['retry-after']);
      waits.push(wait);
      t.clock.nowMs += wait * 1000;
    }
    assert.deepEqual(waits, [1, 2, 4, 8]);
  }
  assert.equal((await t.browser().signIn(email)).status, 200, 'its owner comes in when the wait is over');
  assert.equal((await t.browser().signIn(email, 'wrong')).status, 401, 'and everything is forgotten');
  assert.equal((await t.browser().signIn(email)).status, 200);
});

test('guesses that are made at the same time are counted one by one', async () => {
  rest();
  const { email } = await fresh();
  const answers = await Promise.all(Array.from({ length: 20 }, () => t.browser().signIn(email, 'wrong')));
  const statuses = answers.map(({ status }) => status);
  assert.equal(statuses.filter(status => status === 401).length, 5);
  assert.equal(statuses.filter(status => status === 429).length, 15);
});

test('brute force over many accounts from one address has to wait as well', async () => {
  rest();
  const statuses: number[] = [];
  for (let i = 0; i < 32; i++) statuses.push((await t.browser().signIn(`victim-${i}@example.com`, 'wrong')).status);
  assert.deepEqual(statuses, [...Array(30).fill(401), 429, 429]);
  const { rows } = await sql<{ key: string }>`select key from attempts`.execute(t.db);
  assert.ok(rows.length > 0 && rows.every(({ key }) => /^[0-9a-f]{64}$/.test(key)), 'what was typed is not kept');
  rest();
});

test('people who sign in at once wait for each other, up to a bound', async () => {
  const slow = openAccess({
    publicUrl: 'http://127.0.0.1',
    passwords: { cost: { ln: 12, r: 8, p: 1 }, atOnce: 1, waiting: 2 },
  });
  const verdicts = await Promise.allSettled(Array.from({ length: 5 }, () => slow.passwords.verify(undefined, 'x')));
  assert.equal(verdicts.filter(({ status }) => status === 'fulfilled').length, 3);
  const refused = verdicts.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
  assert.deepEqual(
    refused.map(({ reason }) => reason.code),
    ['too-many-requests', 'too-many-requests'],
  );
  assert.equal(await slow.passwords.verify(undefined, 'x'), 'wrong', 'the turns come back');
});

test('a password that was hashed at another cost is hashed anew when its owner signs in', async () => {
  const { email, id } = await fresh();
  const stored = () => t.db.selectFrom('users').select('password_hash').where('id', '=', id).executeTakeFirstOrThrow();
  const old = openAccess({
    publicUrl: 'http://127.0.0.1',
    passwords: { cost: { ln: 9, r: 8, p: 1 }, atOnce: 1, waiting: 1 },
  });
  const outdated = await old.passwords.hash(PASSWORD);
  await t.db.updateTable('users').set({ password_hash: outdated }).where('id', '=', id).execute();
  assert.equal((await t.browser().signIn(email, 'wrong')).status, 401);
  assert.equal((await stored()).password_hash, outdated);
  assert.equal((await t.browser().signIn(email)).status, 200);
  assert.match((await stored()).password_hash ?? '', /^\$scrypt\$ln=10,r=8,p=1\$/);
  assert.equal((await t.browser().signIn(email)).status, 200);
});

test('a session ends an hour after its last use, and half a day after its first', async () => {
  const idle = await fresh();
  t.clock.nowMs += HOUR + MINUTE;
  await idle.browser.call('get', '/v1/session').expect(401);
  const { browser } = await fresh();
  for (let minutes = 50; minutes < 12 * 60; minutes += 50) {
    t.clock.nowMs += 50 * MINUTE;
    await browser.call('get', '/v1/session').expect(200);
  }
  t.clock.nowMs += 50 * MINUTE;
  await browser.call('get', '/v1/session').expect(401);
});

test('signing out everywhere ends every session of the person, and nobody else’s', async () => {
  const [{ email, browser }, other] = [await fresh(), await fresh()];
  const second = t.browser();
  await second.signIn(email);
  await second.call('delete', '/v1/sessions').expect(204);
  await browser.call('get', '/v1/session').expect(401);
  await second.call('get', '/v1/session').expect(401);
  await other.browser.call('get', '/v1/session').expect(200);
  assert.equal((await t.admin.call('delete', '/v1/sessions').expect(403)).body.code, 'session-missing');
});

test('of too many sessions, the one that was quiet longest ends', async () => {
  const { email, browser } = await fresh();
  for (let i = 0; i < 20; i++) {
    t.clock.nowMs += 1000;
    await t.browser().signIn(email);
  }
  await browser.call('get', '/v1/session').expect(401);
});

test('a person who is shut out is signed out, stays out, and comes back when let in', async () => {
  const { email, browser, id } = await fresh();
  await t.admin.call('patch', `/v1/people/${id}`, { disabled: true }).expect(200);
  await browser.call('get', '/v1/session').expect(401);
  assert.equal((await t.browser().signIn(email)).status, 401);
  await t.admin.call('patch', `/v1/people/${id}`, { disabled: false }).expect(200);
  await browser.call('get', '/v1/session').expect(401);
  assert.equal((await t.browser().signIn(email)).status, 200);
});

test('a session that is in the database still ends with the person, the member and the role', async () => {
  const { browser, id } = await fresh();
  await t.db.updateTable('users').set({ disabled_at: t.context.now() }).where('id', '=', id).execute();
  await browser.call('get', '/v1/session').expect(401);
  await t.db.updateTable('users').set({ disabled_at: null }).where('id', '=', id).execute();
  await t.db.updateTable('memberships').set({ role: 'gone' }).where('user_id', '=', id).execute();
  await browser.call('get', '/v1/members').expect(403);
});

const codeOf = (secret: string) => authenticatorCode(secret, t.clock.nowMs);

async function toSecondStep({ email }: Member) {
  const browser = t.browser();
  const { body } = await browser.signIn(email);
  assert.deepEqual([body.state, browser.cookie()], ['second-step', undefined]);
  const answer = (code: string, ticket = body.ticket) =>
    browser.call('post', '/v1/session/second-step', { ticket, code });
  return { browser, answer, ticket: body.ticket as string };
}

test('with an authenticator, the password alone opens nothing; its code does', async () => {
  const member = await fresh();
  const { secret } = await enrol(member, t.clock);
  t.clock.nowMs += 30_000;
  const { browser, answer } = await toSecondStep(member);
  await browser.call('get', '/v1/session').expect(401);
  const { body } = await answer(codeOf(secret)).expect(200);
  browser.csrf = body.csrf;
  const who = (await browser.call('get', '/v1/session').expect(200)).body.person;
  assert.deepEqual([who.secondStep, who.recoveryCodesLeft], [true, 10]);
});

test('replayed TOTP: a code is good once, also for two who bring it at the same time, and so is an older one', async () => {
  const member = await fresh();
  const { secret } = await enrol(member, t.clock);
  const used = codeOf(secret);
  assert.equal((await (await toSecondStep(member)).answer(used).expect(401)).body.code, 'sign-in-refused');
  t.clock.nowMs += 30_000;
  const older = codeOf(secret);
  t.clock.nowMs += 30_000;
  const [one, two] = [await toSecondStep(member), await toSecondStep(member)];
  const both = await Promise.all([one.answer(codeOf(secret)), two.answer(codeOf(secret))]);
  assert.deepEqual(both.map(({ status }) => status).sort(), [200, 401]);
  await (await toSecondStep(member)).answer(older).expect(401);
  t.clock.nowMs += 30_000;
  await (await toSecondStep(member)).answer(codeOf(secret)).expect(200);
});

test('a recovery code is good once, however it is typed', async () => {
  const member = await fresh();
  const { recoveryCodes } = await enrol(member, t.clock);
  const [first = '', second = ''] = recoveryCodes;
  await (await toSecondStep(member)).answer(first).expect(200);
  await (await toSecondStep(member)).answer(first).expect(401);
  const { browser, answer } = await toSecondStep(member);
  browser.csrf = (await answer(second.toUpperCase().replaceAll('-', ' ')).expect(200)).body.csrf;
  assert.equal((await browser.call('get', '/v1/session')).body.person.recoveryCodesLeft, 8);
  const { rows } = await sql<object>`select * from recovery_codes`.execute(t.db);
  assert.ok(
    rows.length > 0 &&
      !JSON.stringify(rows)
        .toLowerCase()
        .includes(recoveryCodes[3]?.slice(0, 9) ?? '-'),
  );
});

test('guessing codes has to wait, whatever ticket they come with', async () => {
  const member = await fresh();
  const { secret } = await enrol(member, t.clock);
  for (let guess = 0; guess < 5; guess++) await (await toSecondStep(member)).answer('000000').expect(401);
  t.clock.nowMs += 500;
  const { body } = await (await toSecondStep(member)).answer(codeOf(secret)).expect(429);
  assert.equal(body.code, 'too-many-requests');
  t.clock.nowMs += 31_000;
  await (await toSecondStep(member)).answer(codeOf(secret)).expect(200);
});

test('a ticket is sealed, ends soon, and ends with any change of how the person signs in', async () => {
  const member = await fresh();
  const { secret } = await enrol(member, t.clock);
  t.clock.nowMs += 60_000;
  const { answer, ticket } = await toSecondStep(member);
  const bytes = Buffer.from(ticket, 'base64url');
  bytes[20] = (bytes[20] as number) ^ 1;
  for (const forged of [bytes.toString('base64url'), 'nonsense', `${ticket}=`]) {
    assert.equal((await answer(codeOf(secret), forged).expect(401)).body.code, 'sign-in-refused');
  }
  t.clock.nowMs += 5 * MINUTE;
  await answer(codeOf(secret)).expect(401);
  const early = await toSecondStep(member);
  await t.admin.call('patch', `/v1/people/${member.id}`, { disabled: true }).expect(200);
  await t.admin.call('patch', `/v1/people/${member.id}`, { disabled: false }).expect(200);
  await early.answer(codeOf(secret)).expect(401);
  await (await toSecondStep(member)).answer(codeOf(secret)).expect(200);
});
