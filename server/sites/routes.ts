// The calls about sites: the clusters that use a license.
import { z } from 'zod';
import { SEALED_REPORT_BYTES, sealedReportSchema } from '../../bundles/index.ts';
import { idParams } from '../http/names.ts';
import { pageOf, pageQuery } from '../http/paging.ts';
import { route } from '../http/route.ts';
import { CHANGE_TYPES } from './changes.ts';
import { siteEvents } from './history.ts';
import { importReceipt } from './receive.ts';
import { findSites, siteById, siteFilters } from './search.ts';
import { removeSite } from './sites.ts';
import { fleetSummary } from './summary.ts';

const siteSchema = z.strictObject({
  id: z.string(),
  license: z.string(),
  name: z.string(),
  activatedAt: z.string(),
  lastSeenAt: z.string(),
  version: z.string().nullable().describe('what is installed, as far as it is known'),
  health: z.string(),
  state: z.string().describe('of its rollover'),
  nodes: z.number(),
  agentVersion: z.string().nullable(),
  via: z.string().nullable().describe('how its last report came: connection or receipt; null before the first'),
  reportedAt: z.string().nullable().describe('when something in its report changed last'),
  beyondLimit: z.boolean().describe('activated when the license had no room for it, by its policy'),
  report: z.unknown().describe('its last report; null before the first'),
});

const count = z.number();
const summarySchema = z.strictObject({
  sites: count,
  nodes: count,
  versions: z.array(z.strictObject({ version: z.string().nullable(), sites: count, nodes: count })),
  others: count.describe('sites with other versions than the fifty most used'),
  health: z.record(z.string(), count),
  rollovers: z.record(z.string(), count).describe('sites by the state of their rollover'),
  silent: count.describe('connected sites that were not seen for a day'),
});

export const siteRoutes = [
  route({
    method: 'get',
    path: '/v1/sites',
    tag: 'sites',
    summary: 'sites by name, all of them or those that everything asked for holds of',
    access: 'site:read',
    query: z.object({ ...pageQuery, ...siteFilters }),
    answer: pageOf(siteSchema),
    handle: ({ tenant, query }) => findSites(tenant, query),
  }),
  route({
    method: 'get',
    path: '/v1/sites/:id',
    tag: 'sites',
    summary: 'one site, with its last report',
    access: 'site:read',
    params: idParams,
    answer: siteSchema,
    handle: ({ tenant, params }) => siteById(tenant, params.id),
  }),
  route({
    method: 'get',
    path: '/v1/sites/:id/events',
    tag: 'sites',
    summary: 'what has changed at a site, newest first; the last fifty changes are kept',
    access: 'site:read',
    params: idParams,
    query: z.object(pageQuery),
    answer: pageOf(z.strictObject({ at: z.string(), type: z.enum(CHANGE_TYPES), details: z.unknown() })),
    handle: ({ tenant, params, query }) => siteEvents(tenant, params.id, query),
  }),
  route({
    method: 'get',
    path: '/v1/fleet/summary',
    tag: 'sites',
    summary: 'versions, health, rollovers under way and silent sites of the whole fleet',
    access: 'site:read',
    answer: summarySchema,
    handle: ({ tenant }) => fleetSummary(tenant),
  }),
  route({
    method: 'post',
    path: '/v1/receipts',
    tag: 'sites',
    summary: 'take the receipt of a site without a network; a site that is new is activated by it',
    access: 'site:write',
    body: sealedReportSchema,
    bodyBytes: SEALED_REPORT_BYTES,
    answer: z.strictObject({ site: z.string(), status: z.enum(['recorded', 'unchanged', 'older']) }),
    handle: ({ tenant, body, caller }) => importReceipt(tenant, body, caller.actor),
  }),
  route({
    method: 'delete',
    path: '/v1/sites/:id',
    tag: 'sites',
    summary: 'forget a cluster that is gone; its seat of the license is free again',
    access: 'site:write',
    params: idParams,
    answer: 'empty',
    handle: ({ tenant, params, caller }) => removeSite(tenant, params.id, caller.actor),
  }),
];
