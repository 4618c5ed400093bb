// Who belongs to an organization: invitations, roles, removal, and what people who go leave behind.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { PASSWORD, startTestAccess, type TestAccess } from '../../../support/access.ts';

let t: TestAccess;
before(async () => {
  t = await startTestAccess();
});
after(() => t.close());

const DAY = 24 * 3600_000;
const accept = (token: string, password = PASSWORD) =>
  t.browser().call('post', '/v1/invitations/accept', { token, name: 'Somebody', password });

test('an invitation makes a member once, with the role it says', async () => {
  const { body } = await t.admin
    .call('post', '/v1/invitations', { email: 'Ada@Example.com', role: 'license-desk' })
    .expect(201);
  assert.deepEqual([body.email, body.role, body.createdBy], ['ada@example.com', 'license-desk', 'token:admin']);
  const { items } = (await t.admin.call('get', '/v1/invitations').expect(200)).body;
  assert.ok(items.some(({ id }: { id: string }) => id === body.id));
  assert.ok(!JSON.stringify(items).includes(body.token), 'its token is shown once');
  assert.equal((await accept(body.token, 'short').expect(400)).body.code, 'password-weak');
  const both = await Promise.all([accept(body.token), accept(body.token)]);
  assert.deepEqual(both.map(({ status }) => status).sort(), [204, 400]);
  const [ada] = (await t.admin.call('get', '/v1/members?email=ADA@example.com').expect(200)).body.items;
  assert.deepEqual(
    [ada.role, ada.name, ada.provider, ada.secondStep, ada.revision],
    ['license-desk', 'Somebody', null, false, 1],
  );
  assert.deepEqual((await t.admin.call('get', `/v1/members/${ada.id}`).expect(200)).body, ada);
  const again = await t.admin.call('post', '/v1/invitations', { email: 'ada@example.com', role: 'owner' }).expect(409);
  assert.equal(again.body.code, 'member-exists');
});

test('an invitation ends by withdrawal, by a newer one, and after a week', async () => {
  const invite = async () =>
    (await t.admin.call('post', '/v1/invitations', { email: 'bob@example.com', role: 'owner' }).expect(201)).body;
  const first = await invite();
  const second = await invite();
  assert.equal((await accept(first.token).expect(400)).body.code, 'invitation-invalid');
  await t.admin.call('delete', `/v1/invitations/${second.id}`).expect(204);
  await accept(second.token).expect(400);
  await t.admin.call('delete', `/v1/invitations/${second.id}`).expect(404);
  const third = await invite();
  t.clock.nowMs += 7 * DAY;
  await accept(third.token).expect(400);
});

test('an account is not taken over by inviting its address: it needs its own password, and keeps it', async () => {
  const { owner } = await t.organization('Victim');
  const attacker = await t.organization('Attacker');
  const { body } = await attacker.all
    .call('post', '/v1/invitations', { email: owner.email, role: 'auditor' })
    .expect(201);
  const refused = await accept(body.token, 'a password of the attacker').expect(400);
  assert.equal(refused.body.code, 'invitation-invalid');
  assert.equal((await t.browser().signIn(owner.email, 'a password of the attacker')).status, 401);
  assert.equal((await t.browser().signIn(owner.email)).status, 200);
  t.clock.nowMs += 1;
  await accept(body.token).expect(204);
  const { person } = (await owner.browser.call('get', '/v1/session').expect(200)).body;
  assert.deepEqual(
    person.organizations.map(({ name, role }: { name: string; role: string }) => [name, role]),
    [
      ['Victim', 'owner'],
      ['Attacker', 'auditor'],
    ],
  );
});

test('a person of two organizations goes from one to the other, with the role they have there', async () => {
  const [one, two] = [await t.organization('One'), await t.organization('Two')];
  const { browser, email } = one.owner;
  const elsewhere = await browser.call('put', '/v1/session', { organization: two.id }).expect(404);
  assert.equal(elsewhere.body.code, 'not-found');
  await accept(
    (await two.all.call('post', '/v1/invitations', { email, role: 'auditor' }).expect(201)).body.token,
  ).expect(204);
  const before = browser.cookie();
  browser.csrf = (await browser.call('put', '/v1/session', { organization: two.id }).expect(200)).body.csrf;
  assert.notEqual(browser.cookie(), before);
  const { body } = await browser.call('get', '/v1/session').expect(200);
  assert.deepEqual(
    [body.organization.name, body.person.role, body.scopes.includes('token:write')],
    ['Two', 'auditor', false],
  );
  await browser.call('post', '/v1/tokens', { name: 'x', scopes: ['site:read'] }).expect(403);
  const direct = t.browser();
  await direct.signIn(email, PASSWORD, { organization: two.id });
  assert.equal((await direct.call('get', '/v1/session').expect(200)).body.organization.id, two.id);
  assert.equal((await t.browser().signIn(email, PASSWORD, { organization: 'org-unknown' })).status, 401);
});

test('a new role holds at once; of two who change it, the second is told', async () => {
  const member = await t.member('support');
  const path = `/v1/members/${member.id}`;
  const { headers } = await t.admin.call('get', path).expect(200);
  const tag = String(headers['etag']);
  const { body } = await t.admin.call('patch', path, { role: 'license-desk' }).set('if-match', tag).expect(200);
  assert.deepEqual([body.role, body.revision], ['license-desk', 2]);
  const late = await t.admin.call('patch', path, { role: 'owner' }).set('if-match', tag).expect(412);
  assert.equal(late.body.code, 'precondition-failed');
  await t.admin.call('delete', path).set('if-match', tag).expect(412);
  assert.ok((await member.browser.call('get', '/v1/session')).body.scopes.includes('license:write'));
  await t.admin.call('patch', path, { role: 'emperor' }).expect(400);
});

test('the last owner cannot be removed or demoted, not even by two who do it at the same time', async () => {
  const { owner, all } = await t.organization('Owners');
  const own = `/v1/members/${owner.id}`;
  assert.equal((await all.call('delete', own).expect(409)).body.code, 'last-owner');
  assert.equal((await all.call('patch', own, { role: 'auditor' }).expect(409)).body.code, 'last-owner');
  await all.call('patch', own, { role: 'owner' }).expect(200);
  const second = await t.member('owner', all);
  const both = await Promise.all([
    all.call('delete', own),
    all.call('patch', `/v1/members/${second.id}`, { role: 'auditor' }),
  ]);
  assert.deepEqual(both.map(({ status }) => status >= 400).sort(), [false, true]);
});

test('an owner who is shut out does not count as one', async () => {
  const { owner, all } = await t.organization('Shut out');
  const second = await t.member('owner', all);
  await t.admin.call('patch', `/v1/people/${second.id}`, { disabled: true }).expect(200);
  assert.equal((await all.call('delete', `/v1/members/${owner.id}`).expect(409)).body.code, 'last-owner');
  await all.call('delete', `/v1/members/${second.id}`).expect(204);
});

test('scope escalation by roles: nobody gives, changes or removes a role that may do more than they', async () => {
  const { all, owner } = await t.organization('Escalation');
  const desk = await all.make(['member:read', 'member:write']);
  const refusals = [
    desk.call('post', '/v1/invitations', { email: 'mallory@example.com', role: 'owner' }),
    desk.call('post', '/v1/invitations', { email: 'mallory@example.com', role: 'auditor' }),
    desk.call('patch', `/v1/members/${owner.id}`, { role: 'auditor' }),
    desk.call('delete', `/v1/members/${owner.id}`),
  ];
  for (const refusal of refusals) {
    const { body } = await refusal.expect(403);
    assert.equal(body.code, 'forbidden');
    assert.match(body.detail, /^The role (owner|auditor) needs the scope release:read/);
  }
  const { items } = (await all.call('get', '/v1/invitations').expect(200)).body;
  assert.deepEqual(items, []);
});

test('who is removed leaves no way back in: sessions, tokens, tokens of tokens and invitations end', async () => {
  const { all } = await t.organization('Leaving');
  const leaver = await t.member('owner', all);
  const { browser, id } = leaver;
  const made = (
    await browser.call('post', '/v1/tokens', { name: 'back door', scopes: ['token:read', 'token:write'] }).expect(201)
  ).body;
  const child = await t.token(made.token).make(['token:read', 'token:write']);
  const grandchild = await child.make(['token:read']);
  const invited = (
    await browser.call('post', '/v1/invitations', { email: 'second-self@example.com', role: 'owner' }).expect(201)
  ).body;
  const kept = await all.make(['site:read']);
  await all.call('delete', `/v1/members/${id}`).expect(204);
  await browser.call('get', '/v1/session').expect(401);
  for (const token of [made.token, child.secret, grandchild.secret]) {
    await t.token(token).call('get', '/v1/session').expect(401);
  }
  await accept(invited.token).expect(400);
  await kept.call('get', '/v1/session').expect(200);
  assert.equal((await t.browser().signIn(leaver.email)).status, 401);
  await all.call('delete', `/v1/members/${id}`).expect(404);
});

test('who may do less keeps the tokens that do no more than that', async () => {
  const { all } = await t.organization('Demoted');
  const { browser, id } = await t.member('owner', all);
  const make = async (name: string, scopes: string[]) =>
    t.token((await browser.call('post', '/v1/tokens', { name, scopes }).expect(201)).body.token);
  const [small, large] = [await make('small', ['site:read', 'site:write']), await make('large', ['license:write'])];
  await browser.call('post', '/v1/invitations', { email: 'friend@example.com', role: 'owner' }).expect(201);
  await all.call('patch', `/v1/members/${id}`, { role: 'support' }).expect(200);
  await small.call('get', '/v1/session').expect(200);
  await large.call('get', '/v1/session').expect(401);
  assert.deepEqual((await all.call('get', '/v1/invitations').expect(200)).body.items, []);
});

test('a token that is made while its maker is removed is either revoked or not made', async () => {
  const { all } = await t.organization('Race');
  for (let round = 0; round < 10; round++) {
    const { browser, id } = await t.member('owner', all);
    const order = { name: `race ${round}`, scopes: ['site:read'] };
    const [made] = await Promise.all([
      browser.call('post', '/v1/tokens', order),
      all.call('delete', `/v1/members/${id}`).expect(204),
    ]);
    assert.ok([201, 401].includes(made.status), String(made.status));
    if (made.status === 201) await t.token(made.body.token).call('get', '/v1/session').expect(401);
  }
});

test('who belongs nowhere is forgotten and may be invited anew, unless they are shut out', async () => {
  const { all } = await t.organization('Forgetful');
  const [gone, banned] = [await t.member('auditor', all), await t.member('auditor', all)];
  await t.admin.call('patch', `/v1/people/${banned.id}`, { disabled: true }).expect(200);
  for (const { id } of [gone, banned]) await all.call('delete', `/v1/members/${id}`).expect(204);
  const invite = async (email: string) =>
    (await all.call('post', '/v1/invitations', { email, role: 'auditor' }).expect(201)).body.token;
  await accept(await invite(gone.email), 'another password than before').expect(204);
  await accept(await invite(banned.email)).expect(400);
});

test('members come in pages', async () => {
  const { all } = await t.organization('Pages');
  for (let i = 0; i < 4; i++) {
    t.clock.nowMs += 1;
    await t.member('auditor', all);
  }
  const seen: string[] = [];
  let next: string | null = '';
  while (next !== null) {
    const path: string = `/v1/members?limit=2${next && `&cursor=${next}`}`;
    const { body } = await all.call('get', path).expect(200);
    seen.push(...body.items.map(({ id }: { id: string }) => id));
    next = body.next;
  }
  assert.deepEqual([seen.length, new Set(seen).size], [5, 5]);
  const odd = [
    ['2026-11-23', 'x'],
    ['infinity', 'x'],
    ['2026-11-23T12:00:00.000Z', '\u0000'],
  ];
  for (const cursor of odd.map(pair => Buffer.from(JSON.stringify(pair)).toString('base64url'))) {
    assert.equal((await all.call('get', `/v1/members?cursor=${cursor}`).expect(400)).body.code, 'request-invalid');
  }
});
