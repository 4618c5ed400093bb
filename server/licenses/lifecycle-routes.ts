// The calls of what happens to a license after it was issued.
import { z } from 'zod';
import { offlineRequestTextSchema, plainText } from '../../bundles/index.ts';
import { idParams } from '../http/names.ts';
import { pageOf, pageQuery } from '../http/paging.ts';
import { route } from '../http/route.ts';
import {
  rekeyLicense,
  renewLicense,
  resumeLicense,
  revokeLicense,
  suspendLicense,
  transferLicense,
} from './lifecycle.ts';
import { licenseHistory } from './listing.ts';
import { activateOffline } from './offline.ts';
import { instant, issuedSchema, licenseSchema } from './schemas.ts';

const entrySchema = z.strictObject({
  number: z.int(),
  at: z.string(),
  actor: z.string(),
  action: z.string(),
  details: z.record(z.string(), z.unknown()),
});

export const lifecycleRoutes = [
  route({
    method: 'get',
    path: '/v1/licenses/:id/history',
    tag: 'licenses',
    summary: 'what was done to a license, newest first',
    access: 'license:read',
    params: idParams,
    query: z.object(pageQuery),
    answer: pageOf(entrySchema),
    handle: ({ tenant, params, query }) => licenseHistory(tenant, params.id, query),
  }),
  route({
    method: 'post',
    path: '/v1/licenses/:id/renew',
    tag: 'licenses',
    summary: 'a new end, or none; a trial becomes an ordinary license',
    access: 'license:write',
    params: idParams,
    body: z.strictObject({ expiresAt: instant.nullable() }),
    answer: licenseSchema,
    handle: ({ tenant, params, body, caller }) => renewLicense(tenant, params.id, body.expiresAt, caller.actor),
  }),
  route({
    method: 'post',
    path: '/v1/licenses/:id/suspend',
    tag: 'licenses',
    summary: 'no connection, no update, no activation until it is resumed; what runs goes on',
    access: 'license:write',
    params: idParams,
    body: z.strictObject({ reason: plainText(256) }),
    answer: licenseSchema,
    handle: ({ tenant, params, body, caller }) => suspendLicense(tenant, params.id, body.reason, caller.actor),
  }),
  route({
    method: 'post',
    path: '/v1/licenses/:id/resume',
    tag: 'licenses',
    summary: 'end a suspension',
    access: 'license:write',
    params: idParams,
    body: z.strictObject({}),
    answer: licenseSchema,
    handle: ({ tenant, params, caller }) => resumeLicense(tenant, params.id, caller.actor),
  }),
  route({
    method: 'post',
    path: '/v1/licenses/:id/transfer',
    tag: 'licenses',
    summary: 'make it another customer’s',
    access: 'license:write',
    params: idParams,
    body: z.strictObject({
      customer: plainText(256),
      releaseSites: z.boolean().default(false).describe('forget its sites, so that their seats are free'),
    }),
    answer: licenseSchema,
    handle: ({ tenant, params, body, caller }) => transferLicense(tenant, params.id, body, caller.actor),
  }),
  route({
    method: 'post',
    path: '/v1/licenses/:id/activations',
    tag: 'licenses',
    summary: 'activate a site without a network, by the request that it made',
    access: 'license:write',
    params: idParams,
    body: z.strictObject({ request: offlineRequestTextSchema }),
    answer: z.strictObject({ site: z.string(), response: z.string() }),
    handle: ({ tenant, params, body, caller }) => activateOffline(tenant, params.id, body.request, caller.actor),
  }),
  route({
    method: 'post',
    path: '/v1/licenses/:id/revoke',
    tag: 'licenses',
    summary: 'revoke a license; what runs goes on',
    access: 'license:write',
    params: idParams,
    body: z.strictObject({}),
    answer: 'empty',
    handle: ({ tenant, params, caller }) => revokeLicense(tenant, params.id, caller.actor),
  }),
  route({
    method: 'post',
    path: '/v1/licenses/:id/rekey',
    tag: 'licenses',
    summary: 'a new entitlement secret; the old license file opens nothing more',
    access: 'license:write',
    params: idParams,
    body: z.strictObject({}),
    answer: issuedSchema,
    handle: ({ tenant, params, caller }) => rekeyLicense(tenant, params.id, caller.actor),
  }),
];
