// The way to an identity provider and back. Both calls are made by following links, so they answer with redirects.
import { z } from 'zod';
import { serverError } from '../errors.ts';
import { type Route, route } from '../http/route.ts';
import type { Access } from './access.ts';
import { callbackSchema, OIDC_ATTEMPT_MS, type OidcClient } from './oidc.ts';
import { enterByProvider } from './oidc-member.ts';
import { takeUp } from './session-routes.ts';

const tag = 'session';
const byProvider = z.object({ provider: z.string().max(32) });

export function oidcRoutes(access: Access): readonly Route[] {
  return [
    route({
      method: 'get',
      path: '/v1/session/oidc/:provider',
      tag,
      summary: 'sign in with an identity provider: goes there',
      access: 'anybody',
      params: byProvider,
      answer: 'stream',
      status: 303,
      async handle({ tenant, params: { provider }, request, response }) {
        access.sessionCookie.requireSafe(request);
        const { url, attempt } = await clientOf(access, provider).begin(tenant);
        access.oidcCookie.write(response, attempt, OIDC_ATTEMPT_MS);
        response.setHeader('cache-control', 'no-store');
        response.redirect(303, url);
      },
    }),
    route({
      method: 'get',
      path: '/v1/session/oidc/:provider/callback',
      tag,
      summary: 'comes back from the identity provider, signed in',
      access: 'anybody',
      params: byProvider,
      answer: 'stream',
      status: 303,
      async handle({ tenant, params: { provider }, request, response }) {
        access.sessionCookie.requireSafe(request);
        const client = clientOf(access, provider);
        const attempt = access.oidcCookie.read(request);
        access.oidcCookie.clear(response);
        if (attempt === undefined) throw serverError('oidc-refused', 'This sign-in did not begin in this browser.');
        // Providers add parameters of their own, so the route itself names none.
        const identity = await client.end(tenant, attempt, callbackSchema.parse(request.query));
        await takeUp(access, { tenant, request, response }, await enterByProvider(tenant, client.provider, identity));
        response.setHeader('cache-control', 'no-store');
        response.redirect(303, '/');
      },
    }),
  ];
}

/** @throws `not-found` */
function clientOf({ oidc }: Access, name: string): OidcClient {
  const client = oidc.get(name);
  if (!client) throw serverError('not-found', `There is no identity provider ${name}.`);
  return client;
}
