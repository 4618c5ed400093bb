// Calls of whoever runs the service: the organizations on it, and people who are locked out or to be.
import { z } from 'zod';
import { plainText } from '../../bundles/index.ts';
import { pageOf } from '../http/paging.ts';
import { type Route, route } from '../http/route.ts';
import { pageWanted } from './listing.ts';
import { newInvitation } from './member-routes.ts';
import {
  createOrganization,
  inviteOwner,
  listOrganizations,
  organizationById,
  renameOrganization,
} from './organizations.ts';
import { listPeople, offerRecovery, setDisabled } from './people.ts';
import { byId, email, instant, onceToken, page, pageByEmail } from './schemas.ts';

const organization = z.strictObject({ id: z.string(), name: z.string(), createdAt: instant, revision: z.int() });

const person = z.strictObject({
  id: z.string(),
  email: z.string(),
  name: z.string(),
  disabled: z.boolean(),
  createdAt: instant,
  revision: z.int(),
});

const name = plainText(128);

export function organizationRoutes(): readonly Route[] {
  const tag = 'organizations';
  return [
    route({
      method: 'get',
      path: '/v1/organizations',
      tag,
      summary: 'all organizations, oldest first',
      access: 'service:read',
      query: page,
      answer: pageOf(organization),
      handle: ({ tenant, query }) => listOrganizations(tenant, pageWanted(query)),
    }),
    route({
      method: 'get',
      path: '/v1/organizations/:id',
      tag,
      summary: 'an organization',
      access: 'service:read',
      params: byId,
      answer: organization,
      handle: ({ tenant, params: { id } }) => organizationById(tenant.db, id),
    }),
    route({
      method: 'post',
      path: '/v1/organizations',
      tag,
      summary: 'make an organization and invite its first owner',
      access: 'service:write',
      body: z.strictObject({ name, owner: email }),
      answer: z.strictObject({ organization, invitation: newInvitation }),
      status: 201,
      handle: ({ tenant, caller, body }) => createOrganization(tenant, caller, body),
    }),
    route({
      method: 'patch',
      path: '/v1/organizations/:id',
      tag,
      summary: 'rename an organization',
      access: 'service:write',
      params: byId,
      body: z.strictObject({ name }),
      answer: organization,
      handle: ({ tenant, caller, params: { id }, body: { name }, ifMatch }) =>
        renameOrganization(tenant, caller, { id, name, ifMatch }),
    }),
    route({
      method: 'post',
      path: '/v1/organizations/:id/owners',
      tag,
      summary: 'invite another owner, where all are gone',
      access: 'service:write',
      params: byId,
      body: z.strictObject({ email }),
      answer: newInvitation,
      status: 201,
      handle: ({ tenant, caller, params: { id }, body: { email } }) => inviteOwner(tenant, caller, { id, email }),
    }),
  ];
}

export function peopleRoutes(): readonly Route[] {
  const tag = 'people';
  return [
    route({
      method: 'get',
      path: '/v1/people',
      tag,
      summary: 'everybody who has an account, oldest first',
      access: 'service:read',
      query: pageByEmail,
      answer: pageOf(person),
      handle: ({ tenant, query: { email, ...query } }) => listPeople(tenant, pageWanted(query), email),
    }),
    route({
      method: 'patch',
      path: '/v1/people/:id',
      tag,
      summary: 'shut somebody out of all organizations, or let them in again',
      access: 'service:write',
      params: byId,
      body: z.strictObject({ disabled: z.boolean() }),
      answer: person,
      handle: ({ tenant, caller, params: { id }, body: { disabled }, ifMatch }) =>
        setDisabled(tenant, caller, { id, disabled, ifMatch }),
    }),
    route({
      method: 'post',
      path: '/v1/people/:id/recovery',
      tag,
      summary: 'a one-time token for somebody who has lost password or authenticator',
      access: 'service:write',
      params: byId,
      answer: z.strictObject({ token: onceToken, expiresAt: instant }),
      status: 201,
      handle: ({ tenant, caller, params: { id } }) => offerRecovery(tenant, caller, id),
    }),
  ];
}
