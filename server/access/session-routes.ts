// Calls about the session itself: sign in, the second step, who am I, another organization, sign out.
import type { Request, Response } from 'express';
import { z } from 'zod';
import { serverError } from '../errors.ts';
import { type Call, type Route, route } from '../http/route.ts';
import type { Access } from './access.ts';
import { requirePasswordSession } from './account.ts';
import { csrfTokenOf, refuseOtherSites } from './csrf.ts';
import { idSchema } from './listing.ts';
import { type SignedIn, secondStep, signIn } from './login.ts';
import { membershipByPassword } from './memberships.ts';
import { typedPassword } from './password-rules.ts';
import { code, email, instant, role, SMALL_BODY_BYTES, scope } from './schemas.ts';
import { endSession, endSessions, startSession } from './sessions.ts';
import { visitorOf } from './visitor.ts';
import { whoIs } from './who-is.ts';

const tag = 'session';

const signedIn = z.discriminatedUnion('state', [
  z.strictObject({ state: z.literal('signed-in'), csrf: z.string().describe('for the header `x-csrf-token`') }),
  z.strictObject({
    state: z.literal('second-step'),
    ticket: z.string().describe('good for five minutes, with a code'),
  }),
]);

const belonging = z.strictObject({ id: z.string(), name: z.string(), role });

const who = z.strictObject({
  actor: z.string(),
  organization: z.strictObject({ id: z.string(), name: z.string() }),
  scopes: z.array(scope),
  products: z.array(z.string()).nullable(),
  person: z
    .strictObject({
      id: z.string(),
      email: z.string(),
      name: z.string(),
      role,
      secondStep: z.boolean(),
      recoveryCodesLeft: z.int(),
      provider: z.string().nullable(),
      organizations: z.array(belonging).describe('where this session can go'),
      csrf: z.string(),
      signedInUntil: instant,
    })
    .nullable()
    .describe('null for a token'),
});

export function sessionRoutes(access: Access): readonly Route[] {
  return [
    route({
      method: 'post',
      path: '/v1/session',
      tag,
      summary: 'sign in with a password',
      access: 'anybody',
      body: z.strictObject({ email, password: typedPassword, organization: idSchema.optional() }),
      bodyBytes: SMALL_BODY_BYTES,
      answer: signedIn,
      async handle({ tenant, body: { organization, ...credentials }, request, response }) {
        requireSignInPage(access, request);
        const result = await signIn(access, tenant, visitorOf(request, response), { organization, ...credentials });
        return answerOf(access, { tenant, request, response }, result);
      },
    }),
    route({
      method: 'post',
      path: '/v1/session/second-step',
      tag,
      summary: 'sign in: the code of an authenticator, or a recovery code',
      access: 'anybody',
      body: z.strictObject({ ticket: z.string().max(4096), code }),
      bodyBytes: SMALL_BODY_BYTES,
      answer: signedIn,
      async handle({ tenant, body, request, response }) {
        requireSignInPage(access, request);
        const result = await secondStep(tenant, visitorOf(request, response), body);
        return answerOf(access, { tenant, request, response }, result);
      },
    }),
    route({
      method: 'get',
      path: '/v1/session',
      tag,
      summary: 'who calls, and what they may do',
      access: 'signed-in',
      answer: who,
      handle: ({ tenant, caller, request }) =>
        whoIs(tenant, caller, csrfTokenOf(access.sessionCookie.read(request) ?? '')),
    }),
    route({
      method: 'put',
      path: '/v1/session',
      tag,
      summary: 'go on in another organization',
      access: 'signed-in',
      body: z.strictObject({ organization: idSchema }),
      answer: signedIn,
      async handle({ tenant, caller, body: { organization }, request, response }) {
        const { user } = requirePasswordSession(caller);
        const membership = await membershipByPassword(tenant.db, user, organization);
        if (!membership) throw serverError('not-found', `There is no organization ${organization}.`);
        const secret = await startSession(tenant, tenant.db, { user, organization, provider: undefined });
        return answerOf(access, { tenant, request, response }, { state: 'signed-in', secret });
      },
    }),
    route({
      method: 'delete',
      path: '/v1/session',
      tag,
      summary: 'sign out',
      access: 'signed-in',
      answer: 'empty',
      async handle({ tenant, request, response }) {
        const secret = access.sessionCookie.read(request);
        if (secret !== undefined) await endSession(tenant.db, secret);
        access.sessionCookie.clear(response);
      },
    }),
    route({
      method: 'delete',
      path: '/v1/sessions',
      tag,
      summary: 'sign out everywhere',
      access: 'signed-in',
      answer: 'empty',
      async handle({ tenant, caller: { session }, response }) {
        if (!session) throw serverError('session-missing', 'A token is signed in nowhere.');
        await endSessions(tenant.db, session.user);
        access.sessionCookie.clear(response);
      },
    }),
  ];
}

/** People sign in on our own page, and over a connection that nobody reads. @throws `csrf-refused`, `sign-in-insecure` */
export function requireSignInPage(access: Access, request: Request): void {
  refuseOtherSites(request);
  access.sessionCookie.requireSafe(request);
}

/** The session that the browser had before ends: whoever planted it has nothing. */
export async function takeUp(
  access: Access,
  {
    tenant,
    request,
    response,
  }: Pick<Call<unknown, unknown, unknown>, 'tenant'> & { request: Request; response: Response },
  secret: string,
): Promise<string> {
  const before = access.sessionCookie.read(request);
  if (before !== undefined) await endSession(tenant.db, before);
  access.sessionCookie.write(response, secret);
  return csrfTokenOf(secret);
}

async function answerOf(access: Access, call: Parameters<typeof takeUp>[1], result: SignedIn) {
  if (result.state === 'second-step') return result;
  return { state: result.state, csrf: await takeUp(access, call, result.secret) };
}
