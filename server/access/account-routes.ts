// Calls of people about how they sign in. What carries a password is a PUT: answers to POSTs are remembered by what was sent.
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import type { Access } from './access.ts';
import { beginEnrolment, changePassword, endEnrolment, removeAuthenticator } from './account.ts';
import { refuseOtherSites } from './csrf.ts';
import { typedPassword } from './password-rules.ts';
import { recover } from './people.ts';
import { code, onceToken, SMALL_BODY_BYTES } from './schemas.ts';
import { takeUp } from './session-routes.ts';
import { visitorOf } from './visitor.ts';

const tag = 'account';

const proof = { password: typedPassword, code: code.optional().describe('where an authenticator is enrolled') };
const csrf = z.string().describe('of the new session');

export function accountRoutes(access: Access): readonly Route[] {
  return [
    route({
      method: 'put',
      path: '/v1/account/password',
      tag,
      summary: 'change the password; signs out everywhere else',
      access: 'signed-in',
      body: z.strictObject({ ...proof, next: typedPassword }),
      bodyBytes: SMALL_BODY_BYTES,
      answer: z.strictObject({ csrf }),
      async handle({ tenant, caller, body: { next, password, code }, request, response }) {
        const visitor = visitorOf(request, response);
        const secret = await changePassword(access, tenant, visitor, caller, { password, code }, next);
        return { csrf: await takeUp(access, { tenant, request, response }, secret) };
      },
    }),
    route({
      method: 'put',
      path: '/v1/account/authenticator',
      tag,
      summary: 'the second step: enrolling (answers the secret), enrolled (with its first code), none',
      access: 'signed-in',
      body: z.discriminatedUnion('state', [
        z.strictObject({ state: z.literal('enrolling'), ...proof }),
        z.strictObject({ state: z.literal('enrolled'), code }),
        z.strictObject({ state: z.literal('none'), ...proof }),
      ]),
      bodyBytes: SMALL_BODY_BYTES,
      answer: z.discriminatedUnion('state', [
        z.strictObject({
          state: z.literal('enrolling'),
          secret: z.string().describe('base32'),
          uri: z.string().describe('for a QR code'),
        }),
        z.strictObject({
          state: z.literal('enrolled'),
          recoveryCodes: z.array(z.string()).describe('shown this once; each good once'),
          csrf,
        }),
        z.strictObject({ state: z.literal('none'), csrf }),
      ]),
      async handle({ tenant, caller, body, request, response }) {
        const visitor = visitorOf(request, response);
        const call = { tenant, request, response };
        switch (body.state) {
          case 'enrolling': {
            const { password, code } = body;
            return {
              state: body.state,
              ...(await beginEnrolment(access, tenant, visitor, caller, { password, code })),
            };
          }
          case 'enrolled': {
            const { recoveryCodes, secret } = await endEnrolment(tenant, visitor, caller, body.code);
            return { state: body.state, recoveryCodes, csrf: await takeUp(access, call, secret) };
          }
          case 'none': {
            const { password, code } = body;
            const secret = await removeAuthenticator(access, tenant, visitor, caller, { password, code });
            return { state: body.state, csrf: await takeUp(access, call, secret) };
          }
        }
      },
    }),
    route({
      method: 'put',
      path: '/v1/account/recovery',
      tag,
      summary: 'choose a new password with a one-time token',
      access: 'anybody',
      body: z.strictObject({ token: onceToken, password: typedPassword }),
      bodyBytes: SMALL_BODY_BYTES,
      answer: 'empty',
      async handle({ tenant, body, request, response }) {
        refuseOtherSites(request);
        await recover(access, tenant, visitorOf(request, response), body);
      },
    }),
  ];
}
