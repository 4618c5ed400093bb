// What whoever runs the service does: organizations, people of all of them, and the administrator's own token.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { forgetEnded } from '../../../../server/access/forget.ts';
import { SCOPES } from '../../../../server/access/scopes.ts';
import { ensureAdminToken } from '../../../../server/http/tokens.ts';
import { PASSWORD, startTestAccess, type TestAccess } from '../../../support/access.ts';

const DAY = 24 * 3600_000;

let t: TestAccess;
before(async () => {
  t = await startTestAccess();
});
after(() => t.close());

test('an organization begins with an invitation of its first owner, who runs it from then on', async () => {
  const { id, owner } = await t.organization('Acme');
  const { body } = await owner.browser.call('get', '/v1/session').expect(200);
  assert.deepEqual([body.organization, body.person.role], [{ id, name: 'Acme' }, 'owner']);
  assert.ok(!body.scopes.some((scope: string) => scope.startsWith('service:')));
  assert.deepEqual((await t.admin.call('get', `/v1/organizations/${id}`).expect(200)).body.name, 'Acme');
});

test('organizations come in pages, the first one is there from the start', async () => {
  await t.organization('Later');
  const seen: string[] = [];
  let next: string | null = '';
  while (next !== null) {
    const path: string = `/v1/organizations?limit=1${next && `&cursor=${next}`}`;
    const { body } = await t.admin.call('get', path).expect(200);
    seen.push(...body.items.map(({ name }: { name: string }) => name));
    next = body.next;
  }
  assert.ok(seen.includes('default') && seen.includes('Later'));
  assert.equal(new Set(seen).size, seen.length);
});

test('of two who rename an organization, the second is told', async () => {
  const { id } = await t.organization('Old name');
  const path = `/v1/organizations/${id}`;
  const tag = String((await t.admin.call('get', path).expect(200)).headers['etag']);
  const rename = (name: string) => t.admin.call('patch', path, { name }).set('if-match', tag);
  assert.deepEqual((await rename('New name').expect(200)).body.revision, 2);
  assert.equal((await rename('Other name').expect(412)).body.code, 'precondition-failed');
  await t.admin.call('patch', '/v1/organizations/org-unknown', { name: 'x' }).expect(404);
  await t.admin.call('get', '/v1/organizations/org-unknown').expect(404);
});

test('an organization whose owners are gone gets a new one', async () => {
  const { id, owner } = await t.organization('Orphaned');
  await t.admin.call('patch', `/v1/people/${owner.id}`, { disabled: true }).expect(200);
  const email = 'rescuer@example.com';
  const { body } = await t.admin.call('post', `/v1/organizations/${id}/owners`, { email }).expect(201);
  const accepted = { token: body.token, name: 'Rescuer', password: PASSWORD };
  await t.browser().call('post', '/v1/invitations/accept', accepted).expect(204);
  const browser = t.browser();
  await browser.signIn(email);
  assert.equal((await browser.call('get', '/v1/session').expect(200)).body.organization.id, id);
  await t.admin.call('post', '/v1/organizations/org-unknown/owners', { email }).expect(404);
});

test('people are found by address, and shut out with everything they have made anywhere', async () => {
  const { owner } = await t.organization('Shut');
  const { browser, email, id } = owner;
  const made = (await browser.call('post', '/v1/tokens', { name: 'made', scopes: ['site:read'] }).expect(201)).body
    .token;
  const { items } = (await t.admin.call('get', `/v1/people?email=${email}`).expect(200)).body;
  assert.deepEqual([items.length, items[0].id, items[0].disabled], [1, id, false]);
  assert.ok((await t.admin.call('get', '/v1/people?limit=2').expect(200)).body.next);
  const shut = await t.admin
    .call('patch', `/v1/people/${id}`, { disabled: true })
    .set('if-match', `"${items[0].revision}"`);
  assert.deepEqual([shut.status, shut.body.disabled], [200, true]);
  await t.token(made).call('get', '/v1/session').expect(401);
  const late = t.admin.call('patch', `/v1/people/${id}`, { disabled: false }).set('if-match', `"${items[0].revision}"`);
  assert.equal((await late.expect(412)).body.code, 'precondition-failed');
  await t.admin.call('patch', '/v1/people/usr-unknown', { disabled: true }).expect(404);
});

test('whoever does something stands in the audit, by name', async () => {
  const { id: organization, owner, all } = await t.organization('Audited');
  const { id } = await t.member('auditor', all);
  await owner.browser.call('delete', `/v1/tokens/${(await all.make(['site:read'])).id}`).expect(204);
  await owner.browser.call('delete', `/v1/members/${id}`).expect(204);
  const rows = await t.db
    .selectFrom('audit')
    .select(['actor', 'action', 'subject'])
    .where('organization', '=', organization)
    .orderBy('number')
    .execute();
  const last = rows.at(-1);
  assert.deepEqual(last, { actor: `user:${owner.email}`, action: 'member.remove', subject: id });
  const made = t.db.selectFrom('audit').select('action').where('subject', '=', organization);
  assert.deepEqual(await made.where('organization', '=', 'default').execute(), [{ action: 'organization.create' }]);
  const actions = new Set(rows.map(({ action }) => action));
  const expected = ['member.invite', 'member.join', 'session.sign-in', 'token.create', 'token.revoke'];
  for (const action of expected) assert.ok(actions.has(action), action);
});

test('what has ended is forgotten', async () => {
  const { browser, email } = await t.member('auditor');
  await t.browser().signIn(email, 'wrong');
  await t.admin.call('post', '/v1/invitations', { email: 'late@example.com', role: 'auditor' }).expect(201);
  const counts = async () => {
    const tables = ['sessions', 'attempts', 'invitations'] as const;
    const count = (table: (typeof tables)[number]) =>
      t.db
        .selectFrom(table)
        .select(({ fn }) => fn.countAll<string>().as('n'))
        .executeTakeFirstOrThrow();
    return Promise.all(tables.map(async table => Number((await count(table)).n)));
  };
  await forgetEnded(t.context);
  await browser.call('get', '/v1/session').expect(200);
  assert.ok((await counts()).every(count => count > 0));
  t.clock.nowMs += 8 * DAY;
  await forgetEnded(t.context);
  assert.deepEqual(await counts(), [0, 0, 0]);
});

test('the administrator’s token has every scope, each service its own; revoked it stays revoked until its file is gone', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'rollover-admin-'));
  try {
    const start = async () => {
      const path = await ensureAdminToken(t.db, directory, t.context.now());
      assert.equal((await stat(path)).mode & 0o777, 0o600);
      return t.token((await readFile(path, 'utf8')).trim());
    };
    const second = await start();
    const who = (await second.call('get', '/v1/session').expect(200)).body;
    assert.match(who.actor, /^token:admin-[0-9a-f]{8}$/, 'the first service has the plain name');
    assert.deepEqual(who.scopes, SCOPES);
    await t.db
      .updateTable('tokens')
      .set({ scopes: ['site:read'] })
      .where('name', '=', who.actor.slice(6))
      .execute();
    assert.equal((await start()).secret, second.secret);
    assert.deepEqual(
      (await second.call('get', '/v1/session')).body.scopes,
      SCOPES,
      'scopes of newer versions are added',
    );
    const { items } = (await t.admin.call('get', '/v1/tokens?limit=200').expect(200)).body;
    const own = items.find(({ name }: { name: string }) => `token:${name}` === who.actor);
    await t.admin.call('delete', `/v1/tokens/${own.id}`).expect(204);
    await (await start()).call('get', '/v1/session').expect(401);
    await unlink(join(directory, 'admin.token'));
    await (await start()).call('get', '/v1/session').expect(200);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
