// The calls about sites: the clusters that use a license.
import { z } from 'zod';
import { idParams } from '../http/names.ts';
import { pageOf, pageQuery } from '../http/paging.ts';
import { route } from '../http/route.ts';
import { listSites, removeSite } from './sites.ts';

const siteSchema = z.strictObject({
  id: z.string(),
  license: z.string(),
  name: z.string(),
  activatedAt: z.string(),
  lastSeenAt: z.string(),
  beyondLimit: z.boolean().describe('activated when the license had no room for it, by its policy'),
  report: z.unknown().describe('its last report; null before the first'),
});

export const siteRoutes = [
  route({
    method: 'get',
    path: '/v1/sites',
    tag: 'sites',
    summary: 'sites, most recently seen first',
    access: 'site:read',
    query: z.object(pageQuery),
    answer: pageOf(siteSchema),
    handle: ({ tenant, query }) => listSites(tenant, query),
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
