// Several vendors share the service: what one has, no call tells or gives another, whatever it is asked with.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SCOPES } from '../../../../server/access/scopes.ts';
import type { Route } from '../../../../server/http/route.ts';
import { type Call, startTestAccess, type TestAccess } from '../../../support/access.ts';

let t: TestAccess;
before(async () => {
  t = await startTestAccess();
});
after(() => t.close());

/** Something for every field that some call takes, so that what is refused is refused for the right reason. */
const BODIES: Readonly<Record<string, object>> = {
  'PUT /v1/session': { organization: 'ORGANIZATION' },
  'PUT /v1/account/password': { password: 'wrong', next: 'entirely different words' },
  'PUT /v1/account/authenticator': { state: 'enrolling', password: 'wrong' },
  'PATCH /v1/members/:id': { role: 'auditor' },
  'POST /v1/invitations': { email: 'walker@example.com', role: 'auditor' },
  'POST /v1/tokens': { name: 'walker', scopes: ['site:read'] },
  'POST /v1/organizations': { name: 'Walk', owner: 'walker@example.com' },
  'PATCH /v1/organizations/:id': { name: 'Walked over' },
  'POST /v1/organizations/:id/owners': { email: 'walker@example.com' },
  'PATCH /v1/people/:id': { disabled: true },
};

const nameOf = ({ method, path }: Route) => `${method.toUpperCase()} ${path}`;

test('a walk over all calls with the token and the session of another organization meets no data and changes none', async () => {
  const [ours, theirs] = [await t.organization('Ours'), await t.organization('Theirs')];
  const member = await t.member('auditor', ours.all);
  const token = await ours.all.make(['site:read']);
  const email = 'pending@example.com';
  const invitation = (await ours.all.call('post', '/v1/invitations', { email, role: 'auditor' }).expect(201)).body;
  const ids: Readonly<Record<string, string>> = {
    members: member.id,
    people: member.id,
    tokens: token.id,
    invitations: invitation.id,
    organizations: ours.id,
  };
  const secrets = [...Object.values(ids), member.email, email, 'Ours', ours.owner.id];
  const before = await everythingOf(ours.id);
  // Not signing out, which would end the walk.
  const walked = t.routes.filter(
    ({ access, method, path }) => access !== 'anybody' && !(method === 'delete' && path.startsWith('/v1/session')),
  );
  assert.ok(walked.length > 15);

  for (const [who, call] of [
    ['token', theirs.all.call],
    ['session', theirs.owner.browser.call],
  ] as const) {
    for (const route of walked) {
      const subject = route.path.split('/')[2] ?? '';
      const path = route.path.replace(':id', ids[subject] ?? 'unknown');
      const body = JSON.stringify(BODIES[nameOf(route)] ?? {}).replace('ORGANIZATION', ours.id);
      const answer = await call(route.method, path, route.body === undefined ? undefined : JSON.parse(body));
      const told = JSON.stringify(answer.body.detail === undefined ? answer.body : { ...answer.body, detail: '' });
      for (const secret of secrets) assert.ok(!told.includes(secret), `${who}: ${nameOf(route)} tells ${secret}`);
      if (route.path.includes(':id')) {
        assert.ok([403, 404].includes(answer.status), `${who}: ${nameOf(route)} answers ${answer.status}`);
        if (!route.access.startsWith('service:')) assert.equal(answer.status, 404, `${who}: ${nameOf(route)}`);
      } else if (route.access.startsWith('service:')) {
        assert.equal(answer.status, 403, `${who}: ${nameOf(route)}`);
      } else {
        assert.ok(answer.status < 500, `${who}: ${nameOf(route)} answers ${answer.status}`);
      }
    }
  }
  assert.deepEqual(await everythingOf(ours.id), before);
});

/** What the walk must not have touched; when something was used is not part of it. */
async function everythingOf(organization: string) {
  const { db } = t;
  return {
    organization: await db.selectFrom('organizations').selectAll().where('id', '=', organization).execute(),
    memberships: await db.selectFrom('memberships').selectAll().where('organization', '=', organization).execute(),
    invitations: await db.selectFrom('invitations').selectAll().where('organization', '=', organization).execute(),
    tokens: await db
      .selectFrom('tokens')
      .select(['id', 'name', 'scopes', 'revoked_at'])
      .where('organization', '=', organization)
      .orderBy('id')
      .execute(),
  };
}

test('without a token and without a session, every call but those that let people in is refused', async () => {
  const open = t.routes.filter(({ access }) => access === 'anybody').map(nameOf);
  assert.deepEqual(open.sort(), [
    'GET /v1/session/oidc/:provider',
    'GET /v1/session/oidc/:provider/callback',
    'POST /v1/invitations/accept',
    'POST /v1/session',
    'POST /v1/session/second-step',
    'PUT /v1/account/recovery',
  ]);
  const nobody: Call = t.browser().call;
  for (const route of t.routes.filter(({ access }) => access !== 'anybody')) {
    const { status, body } = await nobody(route.method, route.path.replace(':id', 'x'), {});
    assert.deepEqual([status, body.code], [401, 'unauthorized'], nameOf(route));
  }
});

test('every call asks for its own scope: with all others it is refused, with that one alone it is not', async () => {
  for (const route of t.routes) {
    const { access } = route;
    if (access === 'anybody' || access === 'signed-in') continue;
    const [others, own] = [await t.admin.make(SCOPES.filter(scope => scope !== access)), await t.admin.make([access])];
    const path = route.path.replace(':id', 'unknown');
    const body = route.body === undefined ? undefined : {};
    const refused = await others.call(route.method, path, body);
    assert.deepEqual([refused.status, refused.body.code], [403, 'forbidden'], nameOf(route));
    const allowed = await own.call(route.method, path, body);
    assert.ok(![401, 403].includes(allowed.status), `${nameOf(route)} answers ${allowed.status}`);
  }
});

test('no call takes fields that it does not know, ids that are none, or bodies that are none', async () => {
  const all = await t.admin.make(SCOPES);
  for (const route of t.routes) {
    const path = route.path.replace(':id', 'unknown');
    if (route.body !== undefined) {
      for (const body of [{ surprise: 1 }, [], { id: { $gt: '' } }]) {
        const answer = await all.call(route.method, path, body);
        assert.deepEqual([answer.status, answer.body.code], [400, 'request-invalid'], nameOf(route));
      }
    }
    if (!route.path.includes(':id')) continue;
    for (const id of ['%00', 'a%2Fb', "'--", 'x'.repeat(65)]) {
      const body = BODIES[nameOf(route)];
      const answer = await all.call(route.method, route.path.replace(':id', id), body);
      assert.deepEqual([answer.status, answer.body.code], [400, 'request-invalid'], `${nameOf(route)} ${id}`);
    }
  }
});
