// The API made of routes, with callers by name instead of tokens: `authorization: acme owner` is the owner's token of acme.
import type { Express, Request } from 'express';
import { ROLES, type Scope } from '../../server/access/scopes.ts';
import type { Context } from '../../server/context.ts';
import { serverError } from '../../server/errors.ts';
import { RateLimiter } from '../../server/http/rate-limit.ts';
import type { Caller, Route } from '../../server/http/route.ts';
import { appOf, type RouterParts } from '../../server/http/router.ts';

/**
 * The app of these routes.
 *
 * Callers say who they are: organization, role (or scopes with commas), and products where they are limited to some:
 * `Bearer acme owner`, `Bearer acme audit:read cloud`.
 */
export function testApi(routes: readonly Route[], context: Context, parts: Partial<RouterParts> = {}): Express {
  return appOf(routes, {
    context,
    limiter: new RateLimiter({ perSecond: 1000, burst: 1000, now: () => 0 }),
    idempotency: context,
    authenticate: async request => callerOf(request),
    ...parts,
  });
}

function callerOf(request: Request): Caller {
  const said = /^Bearer (\S+) (\S+)(?: (\S+))?$/.exec(request.headers.authorization ?? '');
  if (!said) throw serverError('unauthorized', 'No token.');
  const [, organization = '', role = '', products] = said;
  const scopes: readonly string[] = role in ROLES ? ROLES[role as keyof typeof ROLES] : role.split(',');
  return {
    actor: `token:${role}`,
    organization,
    scopes: new Set(scopes as readonly Scope[]),
    products: products?.split(','),
  };
}
