// Calls about the people of the caller's organization, and invitations to it.
import { z } from 'zod';
import { pageOf } from '../http/paging.ts';
import { type Route, route } from '../http/route.ts';
import type { Access } from './access.ts';
import { refuseOtherSites } from './csrf.ts';
import { acceptInvitation, invite, listInvitations, withdrawInvitation } from './invitations.ts';
import { pageWanted } from './listing.ts';
import { changeRole, listMembers, memberById, removeMember } from './members.ts';
import { typedPassword } from './password-rules.ts';
import { byId, email, instant, onceToken, page, pageByEmail, personName, role, SMALL_BODY_BYTES } from './schemas.ts';
import { visitorOf } from './visitor.ts';

const tag = 'members';

const member = z.strictObject({
  id: z.string(),
  email: z.string(),
  name: z.string(),
  role,
  provider: z.string().nullable().describe('the identity provider that they came by; null: password'),
  secondStep: z.boolean(),
  disabled: z.boolean(),
  joinedAt: instant,
  revision: z.int(),
});

const invitation = z.strictObject({
  id: z.string(),
  email: z.string(),
  role,
  createdBy: z.string().nullable(),
  createdAt: instant,
  expiresAt: instant,
});

export const newInvitation = invitation.extend({ token: onceToken.describe('shown this once: hand it over yourself') });

export function memberRoutes(access: Access): readonly Route[] {
  return [
    route({
      method: 'get',
      path: '/v1/members',
      tag,
      summary: 'the members, first joined first',
      access: 'member:read',
      query: pageByEmail,
      answer: pageOf(member),
      handle: ({ tenant, query: { email, ...query } }) => listMembers(tenant, pageWanted(query), email),
    }),
    route({
      method: 'get',
      path: '/v1/members/:id',
      tag,
      summary: 'a member',
      access: 'member:read',
      params: byId,
      answer: member,
      handle: ({ tenant, params: { id } }) => memberById(tenant, id),
    }),
    route({
      method: 'patch',
      path: '/v1/members/:id',
      tag,
      summary: 'give a member another role',
      access: 'member:write',
      params: byId,
      body: z.strictObject({ role }),
      answer: member,
      handle: ({ tenant, caller, params: { id }, body: { role }, ifMatch }) =>
        changeRole(tenant, caller, { id, role, ifMatch }),
    }),
    route({
      method: 'delete',
      path: '/v1/members/:id',
      tag,
      summary: 'remove a member, and the tokens they have made',
      access: 'member:write',
      params: byId,
      answer: 'empty',
      handle: ({ tenant, caller, params: { id }, ifMatch }) => removeMember(tenant, caller, { id, ifMatch }),
    }),
    route({
      method: 'get',
      path: '/v1/invitations',
      tag,
      summary: 'who is invited, newest first',
      access: 'member:read',
      query: page,
      answer: pageOf(invitation),
      handle: ({ tenant, query }) => listInvitations(tenant, pageWanted(query)),
    }),
    route({
      method: 'post',
      path: '/v1/invitations',
      tag,
      summary: 'invite somebody; voids an earlier invitation of them',
      access: 'member:write',
      body: z.strictObject({ email, role }),
      answer: newInvitation,
      status: 201,
      handle: ({ tenant, caller, body }) => invite(tenant, caller, body),
    }),
    route({
      method: 'delete',
      path: '/v1/invitations/:id',
      tag,
      summary: 'withdraw an invitation',
      access: 'member:write',
      params: byId,
      answer: 'empty',
      handle: ({ tenant, caller, params: { id } }) => withdrawInvitation(tenant, caller, id),
    }),
    route({
      method: 'post',
      path: '/v1/invitations/accept',
      tag,
      summary: 'take an invitation up: with a new password, or that of an account that exists',
      access: 'anybody',
      body: z.strictObject({ token: onceToken, name: personName, password: typedPassword }),
      bodyBytes: SMALL_BODY_BYTES,
      answer: 'empty',
      async handle({ tenant, body, request, response }) {
        refuseOtherSites(request);
        await acceptInvitation(access, tenant, visitorOf(request, response), body);
      },
    }),
  ];
}
