// Calls about the tokens of the caller's organization.
import { z } from 'zod';
import { plainText } from '../../bundles/index.ts';
import { serverError } from '../errors.ts';
import { pageOf } from '../http/paging.ts';
import { type Route, route } from '../http/route.ts';
import { pageWanted } from './listing.ts';
import { byId, instant, page, productName, scope } from './schemas.ts';
import { createToken, listTokens, revokeToken, tokenById } from './tokens.ts';

const tag = 'tokens';

const token = z.strictObject({
  id: z.string(),
  name: z.string(),
  scopes: z.array(scope),
  products: z.array(z.string()).nullable().describe('null: all'),
  createdBy: z.string().nullable(),
  createdAt: instant,
  expiresAt: instant.nullable(),
  lastUsedAt: instant.nullable().describe('to the minute'),
});

const order = z.strictObject({
  name: plainText(64),
  scopes: z.array(scope).min(1).max(64),
  products: z.array(productName).min(1).max(64).optional(),
  expiresAt: instant.optional(),
});

export function tokenRoutes(): readonly Route[] {
  return [
    route({
      method: 'get',
      path: '/v1/tokens',
      tag,
      summary: 'the tokens that are not revoked, newest first',
      access: 'token:read',
      query: page,
      answer: pageOf(token),
      handle: ({ tenant, query }) => listTokens(tenant, pageWanted(query)),
    }),
    route({
      method: 'get',
      path: '/v1/tokens/:id',
      tag,
      summary: 'a token',
      access: 'token:read',
      params: byId,
      answer: token,
      handle: ({ tenant, params: { id } }) => tokenById(tenant, id),
    }),
    route({
      method: 'post',
      path: '/v1/tokens',
      tag,
      summary: 'make a token, for no more than you may do yourself',
      access: 'token:write',
      body: order,
      answer: token.extend({ token: z.string().describe('shown this once') }),
      status: 201,
      handle({ tenant, caller, body: { name, scopes, products, expiresAt } }) {
        const end = expiresAt === undefined ? undefined : new Date(expiresAt);
        if (end && end <= tenant.now()) throw serverError('request-invalid', 'expiresAt is over already.');
        return createToken(tenant, caller, { name, scopes, products, expiresAt: end });
      },
    }),
    route({
      method: 'delete',
      path: '/v1/tokens/:id',
      tag,
      summary: 'revoke a token',
      access: 'token:write',
      params: byId,
      answer: 'empty',
      handle: ({ tenant, caller, params: { id } }) => revokeToken(tenant, caller, id),
    }),
  ];
}
