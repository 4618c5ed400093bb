// The calls about access as an app of their own, on a real database, with a clock that tests move, and clients for a token and for a
// person with a browser.
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import request from 'supertest';
import { type Access, openAccess } from '../../server/access/access.ts';
import { authenticator } from '../../server/access/authenticate.ts';
import type { OidcProvider } from '../../server/access/oidc-provider.ts';
import { accessRoutes } from '../../server/access/routes.ts';
import type { Role, Scope } from '../../server/access/scopes.ts';
import { totpCode } from '../../server/access/totp.ts';
import type { Context } from '../../server/context.ts';
import type { Database } from '../../server/db/database.ts';
import { RateLimiter } from '../../server/http/rate-limit.ts';
import type { Method, Route } from '../../server/http/route.ts';
import { appOf } from '../../server/http/router.ts';
import { ensureAdminToken } from '../../server/http/tokens.ts';
import { startTestDatabase } from './database.ts';
import { tenantOn } from './tenant.ts';

export const PASSWORD = 'several words that fit badly';

/** Cheap: what is proven here does not depend on the cost. */
export const CHEAP = { cost: { ln: 10, r: 8, p: 1 }, atOnce: 2, waiting: 32 };

export interface TestAccess {
  readonly app: ReturnType<typeof appOf>;
  readonly routes: readonly Route[];
  readonly access: Access;
  readonly context: Context;
  readonly db: Database;
  /** Of the organization `default`, and of the service. */
  readonly admin: TokenClient;
  readonly clock: { nowMs: number };
  token(token: string): TokenClient;
  browser(): Browser;
  /** A member of the organization of `by`, signed in. */
  member(role: Role, by?: TokenClient): Promise<Member>;
  /** An organization with an owner who is signed in, and a token that may do what owners may. */
  organization(name: string): Promise<{ readonly id: string; readonly owner: Member; readonly all: TokenClient }>;
  close(): Promise<void>;
}

export type Call = (method: Method, path: string, body?: object) => request.Test;

export interface TokenClient {
  readonly call: Call;
  readonly secret: string;
  /** Makes a token with this one. */
  make(scopes: readonly Scope[], more?: object): Promise<TokenClient & { readonly id: string }>;
}

/** Keeps cookies as browsers do, and knows the token against forged requests once it has signed in. */
export interface Browser {
  readonly call: Call;
  csrf: string;
  /** The value of the session's cookie. */
  cookie(): string | undefined;
  signIn(email: string, password?: string, more?: object): Promise<request.Response>;
}

export interface Member {
  readonly id: string;
  readonly email: string;
  readonly browser: Browser;
}

export async function startTestAccess(
  options: { readonly providers?: readonly OidcProvider[]; readonly publicUrl?: string } = {},
): Promise<TestAccess> {
  const directory = await mkdtemp(join(tmpdir(), 'rollover-access-'));
  await chmod(directory, 0o711);
  const database = await startTestDatabase();
  const { db } = database;
  const clock = { nowMs: Date.parse('2026-11-23T12:00:00Z') };
  const now = () => new Date(clock.nowMs);
  const context: Context = tenantOn(db, { now });
  const adminSecret = (await readFile(await ensureAdminToken(db, directory, now()), 'utf8')).trim();
  const access = openAccess({ publicUrl: 'http://127.0.0.1:8470', passwords: CHEAP, ...options });
  const routes = accessRoutes(access);
  const app = appOf(routes, {
    context,
    limiter: new RateLimiter({ perSecond: 1000, burst: 100_000, now: () => clock.nowMs }),
    idempotency: context,
    authenticate: authenticator(access, context),
  });

  const token = (secret: string): TokenClient => {
    const call = caller(request(app), test => test.set('authorization', `Bearer ${secret}`));
    return {
      call,
      secret,
      async make(scopes, more = {}) {
        const { body } = await call('post', '/v1/tokens', { name: nextName('token'), scopes, ...more }).expect(201);
        return { ...token(body.token), id: body.id };
      },
    };
  };
  const admin = token(adminSecret);
  const browser = () => newBrowser(app);
  const accept = async (invitation: { readonly token: string; readonly email: string }): Promise<Member> => {
    const { email } = invitation;
    const mine = browser();
    const offered = { token: invitation.token, name: email, password: PASSWORD };
    await mine.call('post', '/v1/invitations/accept', offered).expect(204);
    assert.equal((await mine.signIn(email)).body.state, 'signed-in');
    const { body } = await mine.call('get', '/v1/session').expect(200);
    return { id: body.person.id, email, browser: mine };
  };
  return {
    app,
    routes,
    access,
    context,
    db,
    admin,
    clock,
    token,
    browser,
    async member(role, by = admin) {
      const email = `${nextName(role)}@example.com`;
      return accept((await by.call('post', '/v1/invitations', { email, role }).expect(201)).body);
    },
    async organization(name) {
      const order = { name, owner: `${nextName('owner')}@example.com` };
      const { body } = await admin.call('post', '/v1/organizations', order).expect(201);
      const owner = await accept(body.invitation);
      const { scopes } = (await owner.browser.call('get', '/v1/session').expect(200)).body;
      const made = await owner.browser.call('post', '/v1/tokens', { name: 'all', scopes }).expect(201);
      return { id: body.organization.id, owner, all: token(made.body.token) };
    },
    async close() {
      await database.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

let names = 0;
function nextName(what: string): string {
  names++;
  return `${what}-${names}`;
}

function newBrowser(app: TestAccess['app']): Browser {
  const agent = request.agent(app);
  const browser: Browser = {
    call: caller(agent, test => test.set('sec-fetch-site', 'same-origin').set('x-csrf-token', browser.csrf)),
    csrf: '',
    cookie: () =>
      agent.jar.getCookie('rollover', { domain: '127.0.0.1', path: '/', secure: false, script: false })?.value,
    async signIn(email, password = PASSWORD, more = {}) {
      const answer = await browser.call('post', '/v1/session', { email, password, ...more });
      if (answer.body.csrf) browser.csrf = answer.body.csrf;
      return answer;
    },
  };
  return browser;
}

function caller(
  client: ReturnType<typeof request> | ReturnType<typeof request.agent>,
  prepare: (test: request.Test) => request.Test,
): Call {
  return (method, path, body) => {
    const test = prepare(client[method](path));
    return body === undefined ? test : test.send(body);
  };
}

/** What an authenticator shows, for the secret that the enrolment has told. */
export function authenticatorCode(secret: string, nowMs: number): string {
  return totpCode(fromBase32(secret), Math.floor(nowMs / 30_000));
}

function fromBase32(text: string): Buffer {
  const bits = [...text]
    .map(letter => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'))
    .join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map(byte => Number.parseInt(byte, 2)));
}

/** Enrols an authenticator; answers its secret and the recovery codes. */
export async function enrol(
  { browser }: Member,
  clock: TestAccess['clock'],
): Promise<{ readonly secret: string; readonly recoveryCodes: readonly string[] }> {
  const path = '/v1/account/authenticator';
  const { secret } = (await browser.call('put', path, { state: 'enrolling', password: PASSWORD }).expect(200)).body;
  const code = authenticatorCode(secret, clock.nowMs);
  const { body } = await browser.call('put', path, { state: 'enrolled', code }).expect(200);
  browser.csrf = body.csrf;
  return { secret, recoveryCodes: body.recoveryCodes };
}
