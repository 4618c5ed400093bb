// Attack stories about signing in with an identity provider: tokens that are forged, old, for others or unsigned; answers that belong
// to another sign-in; providers that misbehave; and providers that speak for organizations that are not theirs.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import * as jose from 'jose';
import request from 'supertest';
import { forgetEnded } from '../../../../server/access/forget.ts';
import { boundedFetch } from '../../../../server/access/oidc-fetch.ts';
import { readOidcProviders } from '../../../../server/access/oidc-provider.ts';
import { type Browser, PASSWORD, startTestAccess, type TestAccess } from '../../../support/access.ts';
import { rejectsWith } from '../../../support/errors.ts';
import { CLIENT, json, type Sign, startTestProvider, type TestProvider } from '../../../support/oidc-provider.ts';

let provider: TestProvider;
let other: TestProvider;
let t: TestAccess;
before(async () => {
  [provider, other] = await Promise.all([startTestProvider(), startTestProvider()]);
  const own = { name: 'own', organization: 'default', issuer: provider.issuer, ...CLIENT };
  t = await startTestAccess({
    providers: [own, { ...own, name: 'other', issuer: other.issuer, organization: 'org-other' }],
  });
  await t.db
    .insertInto('organizations')
    .values({ id: 'org-other', name: 'Other', created_at: t.context.now() })
    .execute();
});
after(async () => {
  await t.close();
  await Promise.all([provider.close(), other.close()]);
});
afterEach(() => provider.instead.clear());

let people = 0;
const nextEmail = () => {
  people++;
  return `person-${people}@example.com`;
};

/** Goes to the provider; answers where it was sent. */
async function begin(browser: Browser, name = 'own'): Promise<URL> {
  const { headers } = await browser.call('get', `/v1/session/oidc/${name}`).expect(303);
  return new URL(headers['location'] as string);
}

function claimsFor(url: URL, email: string, at: TestProvider = provider): jose.JWTPayload {
  const now = Math.floor(t.clock.nowMs / 1000);
  const nonce = url.searchParams.get('nonce') ?? '';
  const who = { sub: `sub-${email}`, email, email_verified: true, name: 'Ada' };
  return { iss: at.issuer, aud: CLIENT.clientId, iat: now, exp: now + 300, nonce, ...who };
}

function callback(url: URL, code: string, more: Record<string, string> = {}): string {
  const { pathname } = new URL(url.searchParams.get('redirect_uri') ?? '');
  return `${pathname}?${new URLSearchParams({ code, state: url.searchParams.get('state') ?? '', ...more })}`;
}

/** Comes back from the provider with a token of these claims. */
async function signIn(browser: Browser, email: string, change: { claims?: object; sign?: Sign; name?: string } = {}) {
  const at = change.name === 'other' ? other : provider;
  const url = await begin(browser, change.name);
  const code = at.grant(url, { ...claimsFor(url, email, at), ...change.claims }, change.sign);
  return browser.call('get', callback(url, code));
}

const invite = (email: string, role = 'license-desk') =>
  t.admin.call('post', '/v1/invitations', { email, role }).expect(201);

async function refused(answer: request.Response, browser: Browser, what: string): Promise<void> {
  assert.deepEqual([answer.status, answer.body.code], [401, 'oidc-refused'], what);
  assert.equal(browser.cookie(), undefined, what);
}

test('who is invited signs in by the address that the provider has verified, and later by who they are there', async () => {
  const [browser, email] = [t.browser(), nextEmail()];
  const { all } = await t.organization('Invites as well');
  await all.call('post', '/v1/invitations', { email, role: 'owner' }).expect(201);
  await invite(email);
  const answer = await signIn(browser, email.toUpperCase(), { claims: { sub: 'ada' } });
  assert.deepEqual([answer.status, answer.headers['location']], [303, '/']);
  const { person, organization } = (await browser.call('get', '/v1/session').expect(200)).body;
  assert.deepEqual(
    [person.email, person.role, person.provider, organization.id],
    [email, 'license-desk', 'own', 'default'],
  );
  const renamed = t.browser();
  assert.equal((await signIn(renamed, 'married@example.com', { claims: { sub: 'ada' } })).status, 303);
  assert.equal((await renamed.call('get', '/v1/session').expect(200)).body.person.id, person.id);
  const { body } = await t.admin.call('get', `/v1/members/${person.id}`).expect(200);
  assert.equal(body.provider, 'own');
});

test('the way to the provider carries PKCE, state and nonce, each new, and a cookie that scripts cannot read', async () => {
  const [one, two] = [await begin(t.browser()), await begin(t.browser())];
  for (const name of ['state', 'nonce', 'code_challenge']) {
    assert.match(one.searchParams.get(name) ?? '', /^[A-Za-z0-9_-]{43}$/);
    assert.notEqual(one.searchParams.get(name), two.searchParams.get(name));
  }
  assert.deepEqual(
    ['response_type', 'code_challenge_method', 'client_id'].map(name => one.searchParams.get(name)),
    ['code', 'S256', CLIENT.clientId],
  );
  const { headers } = await request(t.app).get('/v1/session/oidc/own').set('host', '127.0.0.1').expect(303);
  assert.match(String(headers['set-cookie']), /^rollover-oidc=[\w-]+; Max-Age=600; Path=\/; .*HttpOnly; SameSite=Lax$/);
  await request(t.app).get('/v1/session/oidc/own').set('host', 'rollover.example').expect(403);
  assert.equal((await t.browser().call('get', '/v1/session/oidc/unknown').expect(404)).body.code, 'not-found');
});

test('nobody gets in uninvited: strangers, unverified addresses, the invited of others, those who are shut out', async () => {
  const [invited, elsewhere] = [nextEmail(), nextEmail()];
  await invite(invited);
  const { all } = await t.organization('Elsewhere');
  await all.call('post', '/v1/invitations', { email: elsewhere, role: 'owner' }).expect(201);
  const stories = [
    ['stranger', nextEmail(), {}],
    ['unverified', invited, { email_verified: false }],
    ['not said to be verified', invited, { email_verified: undefined }],
    ['verified, as a word', invited, { email_verified: 'true' }],
    ['no address', invited, { email: undefined }],
    ['invited elsewhere', elsewhere, {}],
    ['member elsewhere', (await t.organization('Member elsewhere')).owner.email, {}],
  ] as const;
  for (const [what, email, claims] of stories) {
    const browser = t.browser();
    await refused(await signIn(browser, email, { claims }), browser, what);
  }
  const { count } = await t.db
    .selectFrom('users')
    .select(({ fn }) => fn.countAll<string>().as('count'))
    .where('email', 'in', [invited, elsewhere])
    .executeTakeFirstOrThrow();
  assert.equal(count, '0', 'no account was made on the way');
  const shut = t.browser();
  assert.equal((await signIn(shut, invited)).status, 303);
  const { id } = (await shut.call('get', '/v1/session')).body.person;
  await t.admin.call('patch', `/v1/people/${id}`, { disabled: true }).expect(200);
  const again = t.browser();
  await refused(await signIn(again, invited), again, 'shut out');
});

test('an invitation that is over lets nobody in, and a member who was removed needs another', async () => {
  const [late, removed] = [nextEmail(), nextEmail()];
  await invite(late);
  t.clock.nowMs += 8 * 24 * 3600_000;
  const browser = t.browser();
  await refused(await signIn(browser, late), browser, 'late');
  await invite(removed);
  const member = t.browser();
  await signIn(member, removed);
  const { id } = (await member.call('get', '/v1/session').expect(200)).body.person;
  await t.admin.call('delete', `/v1/members/${id}`).expect(204);
  await member.call('get', '/v1/session').expect(401);
  const back = t.browser();
  await refused(await signIn(back, removed), back, 'removed');
  await invite(removed, 'auditor');
  assert.equal((await signIn(back, removed)).status, 303);
});

test('a forged, expired, early, foreign or unsigned token lets nobody in', async () => {
  const email = nextEmail();
  await invite(email);
  const thief = await jose.generateKeyPair('ES256');
  const header = { alg: 'ES256', kid: 'key-1' };
  const publicPem = await jose.exportSPKI((await jose.importJWK(provider.publicJwk, 'ES256')) as jose.CryptoKey);
  const hmac = (secret: string) => (claims: jose.JWTPayload) =>
    new jose.SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'key-1' }).sign(Buffer.from(secret));
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(t.clock.nowMs / 1000);
  const stories: Record<string, { claims?: object; sign?: Sign }> = {
    'signed by another key': {
      sign: claims => new jose.SignJWT(claims).setProtectedHeader(header).sign(thief.privateKey),
    },
    'signed by a key that it brings along': {
      async sign(claims) {
        const jwk = await jose.exportJWK(thief.publicKey);
        return new jose.SignJWT(claims).setProtectedHeader({ ...header, jwk }).sign(thief.privateKey);
      },
    },
    'alg none': { sign: claims => `${part({ alg: 'none' })}.${part(claims)}.` },
    'alg none, with a key id': { sign: claims => `${part({ alg: 'none', kid: 'key-1' })}.${part(claims)}.` },
    'HS256 with the public key': { sign: hmac(publicPem) },
    'HS256 with the public key as JSON': { sign: hmac(JSON.stringify(provider.publicJwk)) },
    'HS256 with the client secret': { sign: hmac(CLIENT.clientSecret.repeat(2)) },
    'an algorithm that is none of ours': { sign: provider.signOddly },
    'changed after signing': {
      async sign(claims) {
        const [head, , signature] = (await provider.sign(claims)).split('.');
        return `${head}.${part({ ...claims, sub: 'root' })}.${signature}`;
      },
    },
    'no token at all': { sign: () => 'nonsense' },
    expired: { claims: { iat: now - 200, exp: now - 61 } },
    'issued long ago': { claims: { iat: now - 400 } },
    'issued in the future': { claims: { iat: now + 120, exp: now + 400 } },
    'not good yet': { claims: { nbf: now + 120 } },
    'without an end': { claims: { exp: undefined } },
    'without a beginning': { claims: { iat: undefined } },
    'for another program': { claims: { aud: 'another' } },
    'for several programs': { claims: { aud: [CLIENT.clientId, 'another'] } },
    'for several programs, asked by another': { claims: { aud: [CLIENT.clientId, 'another'], azp: 'another' } },
    'of another issuer': { claims: { iss: other.issuer } },
    'for nobody': { claims: { sub: undefined } },
    'for another sign-in': { claims: { nonce: 'A'.repeat(43) } },
    'for no sign-in': { claims: { nonce: undefined } },
  };
  for (const [what, change] of Object.entries(stories)) {
    const browser = t.browser();
    await refused(await signIn(browser, email, change), browser, what);
  }
  const skewed = { iat: now + 50, exp: now + 300, aud: [CLIENT.clientId], azp: CLIENT.clientId };
  assert.equal((await signIn(t.browser(), email, { claims: skewed })).status, 303, 'a minute of skew is bearable');
});

test('wrong state: an answer that belongs to another sign-in, browser or provider is refused', async () => {
  const email = nextEmail();
  await invite(email);
  const attempt = async (
    story: (browser: Browser, url: URL, code: string) => Promise<request.Response>,
    what: string,
  ) => {
    const browser = t.browser();
    const url = await begin(browser);
    await refused(await story(browser, url, provider.grant(url, claimsFor(url, email))), browser, what);
  };
  await attempt(
    (browser, url, code) => browser.call('get', callback(url, code, { state: 'x'.repeat(43) })),
    'other state',
  );
  await attempt((browser, url, code) => browser.call('get', callback(url, code, { state: '' })), 'empty state');
  await attempt((browser, _, code) => browser.call('get', `/v1/session/oidc/own/callback?code=${code}`), 'no state');
  await attempt((_, url, code) => t.browser().call('get', callback(url, code)), 'login CSRF: another browser');
  await attempt((browser, url) => browser.call('get', callback(url, '', { error: 'access_denied' })), 'not let in');
  await attempt(async (browser, url, code) => {
    await begin(browser);
    return browser.call('get', callback(url, code));
  }, 'an answer to the sign-in before');
  await attempt((browser, url) => {
    t.clock.nowMs += 10 * 60_000;
    return browser.call('get', callback(url, provider.grant(url, claimsFor(url, email))));
  }, 'too late');
  let toldOther = false;
  other.instead.set('/token', (_, response) => {
    toldOther = true;
    json(response, 400, {});
  });
  await attempt(
    (browser, url, code) => browser.call('get', callback(url, code).replace('/own/', '/other/')),
    'other provider',
  );
  await attempt((browser, url, code) => browser.call('get', callback(url, code, { iss: other.issuer })), 'mix-up');
  await attempt((_, url, code) => {
    const forged = request(t.app).get(callback(url, code)).set('cookie', 'rollover-oidc=bm9uc2Vuc2U');
    return forged.then(answer => answer);
  }, 'a cookie of one’s own making');
  other.instead.clear();
  assert.equal(toldOther, false, 'the code of one provider is not told to another');
  const browser = t.browser();
  const twice = `${callback(await begin(browser), 'x')}&state=x`;
  assert.equal((await browser.call('get', twice).expect(400)).body.code, 'request-invalid');
});

test('a code that was stolen from another sign-in is worth nothing: PKCE', async () => {
  const email = nextEmail();
  await invite(email);
  const victim = await begin(t.browser());
  const stolen = provider.grant(victim, claimsFor(victim, email));
  const thief = t.browser();
  const own = await begin(thief);
  await refused(await thief.call('get', callback(own, stolen)), thief, 'stolen code');
});

test('nonce replay: the same answer with the same cookie lets nobody in a second time', async () => {
  const email = nextEmail();
  await invite(email);
  const { headers } = await request(t.app).get('/v1/session/oidc/own').set('host', '127.0.0.1').expect(303);
  const cookie = String(headers['set-cookie']).split(';')[0] as string;
  const url = new URL(headers['location'] as string);
  const code = provider.grant(url, claimsFor(url, email));
  const comeBack = () => request(t.app).get(callback(url, code)).set('host', '127.0.0.1').set('cookie', cookie);
  await comeBack().expect(303);
  const replayed = await comeBack().expect(401);
  assert.equal(replayed.body.code, 'oidc-refused');
  assert.match(replayed.body.detail, /used already/);
  await forgetEnded(t.context);
  await comeBack().expect(401);
  t.clock.nowMs += 2 * 3600_000;
  await forgetEnded(t.context);
  await comeBack().expect(401);
});

test('session fixation: a session that was planted before ends with the sign-in', async () => {
  const email = nextEmail();
  await invite(email);
  const attacker = await t.member('auditor');
  const { headers } = await request(t.app).get('/v1/session/oidc/own').set('host', '127.0.0.1').expect(303);
  const cookie = `${String(headers['set-cookie']).split(';')[0]}; rollover=${attacker.browser.cookie()}`;
  const url = new URL(headers['location'] as string);
  const back = callback(url, provider.grant(url, claimsFor(url, email)));
  await request(t.app).get(back).set('host', '127.0.0.1').set('cookie', cookie).expect(303);
  await attacker.browser.call('get', '/v1/session').expect(401);
});

test('a provider speaks for its organization and no other, also about people who belong to several', async () => {
  const { owner, id } = await t.organization('Victim');
  const { email, browser } = owner;
  const otherToken = await t.admin.make(['member:read']);
  const row = { id: 'inv-by-other', organization: 'org-other', email, role: 'owner', hash: 'x', created_by: 'x' };
  const dates = { created_at: t.context.now(), expires_at: new Date(t.clock.nowMs + 60_000) };
  await t.db
    .insertInto('invitations')
    .values({ ...row, ...dates })
    .execute();
  const puppet = t.browser();
  assert.equal((await signIn(puppet, email, { name: 'other' })).status, 303);
  const { body } = await puppet.call('get', '/v1/session').expect(200);
  puppet.csrf = body.person.csrf;
  assert.equal(body.organization.id, 'org-other');
  assert.deepEqual(
    body.person.organizations.map((organization: { id: string }) => organization.id),
    ['org-other'],
  );
  const next = 'words that the provider has chosen';
  const refusals = [
    puppet.call('put', '/v1/session', { organization: id }),
    puppet.call('put', '/v1/account/password', { password: PASSWORD, next }),
    puppet.call('put', '/v1/account/authenticator', { state: 'enrolling', password: PASSWORD }),
  ];
  for (const refusal of refusals) assert.equal((await refusal.expect(403)).body.code, 'session-missing');
  await puppet.call('get', `/v1/organizations/${id}`).expect(403);
  await browser.call('get', '/v1/session').expect(200);
  await otherToken.call('get', `/v1/members/${owner.id}`).expect(404);
});

test('an account that somebody made in advance opens nothing that its owner joins by an identity provider', async () => {
  const squatter = await t.organization('Squatter');
  const victim = await t.member('auditor', squatter.all);
  await invite(victim.email, 'owner');
  const rightful = t.browser();
  assert.equal((await signIn(rightful, victim.email)).status, 303);
  assert.equal((await rightful.call('get', '/v1/session').expect(200)).body.person.role, 'owner');
  const { body } = await victim.browser.call('get', '/v1/session').expect(200);
  assert.deepEqual(
    body.person.organizations.map(({ id }: { id: string }) => id),
    [squatter.id],
  );
  await victim.browser.call('put', '/v1/session', { organization: 'default' }).expect(404);
  assert.equal((await t.browser().signIn(victim.email, PASSWORD, { organization: 'default' })).status, 401);
});

test('a member with a password may come by the provider of the organization as well', async () => {
  const { email, id } = await t.member('support');
  const browser = t.browser();
  assert.equal((await signIn(browser, email)).status, 303);
  assert.equal((await browser.call('get', '/v1/session').expect(200)).body.person.id, id);
  assert.equal((await t.browser().signIn(email)).status, 200);
});

test('a provider that misbehaves is said to, and asked again the next time', async () => {
  const flood = Buffer.alloc(300 * 1024, 0x20);
  const well = '/.well-known/openid-configuration';
  const unreadable: Record<string, Parameters<typeof provider.instead.set>[1]> = {
    'is down': (_, response) => response.destroy(),
    fails: (_, response) => json(response, 500, provider.discovery()),
    'answers no JSON': (_, response) => response.end('<html>'),
    'sends too much': (_, response) => response.end(flood),
    redirects: (_, response) => response.writeHead(302, { location: `${other.issuer}${well}` }).end(),
    'is another one': (_, response) => json(response, 200, other.discovery()),
    'has its keys in the open': (_, response) =>
      json(response, 200, { ...provider.discovery(), jwks_uri: 'http://keys.example/jwks' }),
    'has a strange address': (_, response) =>
      json(response, 200, { ...provider.discovery(), authorization_endpoint: 'javascript:alert(1)' }),
  };
  t.clock.nowMs += 2 * 3600_000; // What was known of it is forgotten.
  for (const [what, answer] of Object.entries(unreadable)) {
    provider.instead.set(well, answer);
    const { status, body } = await t.browser().call('get', '/v1/session/oidc/own');
    assert.deepEqual([status, body.code], [502, 'oidc-unavailable'], what);
  }
  provider.instead.clear();
  const endpoints: typeof unreadable = {
    fails: (_, response) => json(response, 500, {}),
    'has no token': (_, response) => json(response, 200, {}),
    redirects: (_, response) => response.writeHead(307, { location: `${other.issuer}/token` }).end(),
    'sends too much': (_, response) => response.end(flood),
  };
  for (const [what, answer] of Object.entries(endpoints)) {
    provider.instead.set('/token', answer);
    const again = t.browser();
    const { status, body } = await again.call('get', callback(await begin(again), 'x'));
    assert.deepEqual([status, body.code], [502, 'oidc-unavailable'], what);
  }
});

test('a provider that names itself in its answers has to', async () => {
  t.clock.nowMs += 2 * 3600_000;
  const says = { ...provider.discovery(), authorization_response_iss_parameter_supported: true };
  provider.instead.set('/.well-known/openid-configuration', (_, response) => json(response, 200, says));
  const email = nextEmail();
  await invite(email);
  const nameless = t.browser();
  await refused(await signIn(nameless, email), nameless, 'nameless');
  const browser = t.browser();
  const url = await begin(browser);
  const code = provider.grant(url, claimsFor(url, email));
  assert.equal((await browser.call('get', callback(url, code, { iss: provider.issuer }))).status, 303);
  t.clock.nowMs += 2 * 3600_000;
});

test('an answer that takes too long is not waited for, neither at its beginning nor in its middle', async () => {
  const server = createServer((request, response) => {
    if (request.url === '/drip') response.writeHead(200).write('{');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    for (const path of ['/never', '/drip']) {
      await rejectsWith('oidc-unavailable', () => boundedFetch('slow', 100)(`${url}${path}`));
    }
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('the file of identity providers is read strictly', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'rollover-oidc-'));
  const path = join(directory, 'providers.json');
  const good = { name: 'acme', organization: 'org-1', issuer: 'https://id.acme.example', ...CLIENT };
  const read = async (value: unknown) => {
    await writeFile(path, typeof value === 'string' ? value : JSON.stringify(value));
    return readOidcProviders(path);
  };
  try {
    assert.deepEqual(await read({ providers: [good] }), [good]);
    const bad = [
      'no json',
      {},
      { providers: [good, good] },
      { providers: [{ ...good, issuer: 'http://id.acme.example' }] },
      { providers: [{ ...good, issuer: 'https://user@id.acme.example' }] },
      { providers: [{ ...good, name: '../x' }] },
      { providers: [{ ...good, surprise: 1 }] },
    ];
    for (const value of bad) await rejectsWith('config-invalid', () => read(value));
    await rejectsWith('config-invalid', () => readOidcProviders(join(directory, 'none')));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
