// Who calls: a pipeline by the token in its header, or a person by the session in their cookie.
import type { Request } from 'express';
import type { Context } from '../context.ts';
import { serverError } from '../errors.ts';
import type { Caller } from '../http/route.ts';
import type { Access } from './access.ts';
import { requireOwnPage } from './csrf.ts';
import { scopesOfRole } from './grants.ts';
import { liveSession } from './sessions.ts';
import { callerOfToken } from './tokens.ts';

/** For the router. A request with both is that of the token. */
export function authenticator(access: Access, context: Context): (request: Request) => Promise<Caller> {
  return async request => {
    const { authorization } = request.headers;
    const caller =
      authorization === undefined
        ? await callerOfCookie(access, context, request)
        : await callerOfToken(context, authorization.replace(/^Bearer /, ''));
    if (!caller)
      throw serverError('unauthorized', 'This call needs a token of the service, or a person who is signed in.');
    return caller;
  };
}

/** @throws `csrf-refused` */
async function callerOfCookie(access: Access, context: Context, request: Request): Promise<Caller | undefined> {
  const secret = access.sessionCookie.read(request);
  const session = secret === undefined ? undefined : await liveSession(context, secret);
  if (secret === undefined || !session) return undefined;
  requireOwnPage(request, secret);
  const { user, organization, provider, email, role, expiresAt } = session;
  return {
    actor: `user:${email}`,
    organization,
    scopes: new Set(scopesOfRole(role)),
    products: undefined,
    session: { user, provider, expiresAt },
  };
}
