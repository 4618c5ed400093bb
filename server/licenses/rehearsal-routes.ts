// The calls about upgrades that were rehearsed for a license.
import { z } from 'zod';
import { plainText, versionSchema } from '../../bundles/index.ts';
import { idParams } from '../http/names.ts';
import { pageOf, pageQuery } from '../http/paging.ts';
import { route } from '../http/route.ts';
import { attestRehearsal, listRehearsals } from './rehearsals.ts';

const LONGEST_EVIDENCE = 2000;

const rehearsalSchema = z.strictObject({
  id: z.string(),
  from: z.string(),
  to: z.string(),
  evidence: z.string(),
  actor: z.string().describe('who attests it'),
  at: z.string(),
});

export const rehearsalRoutes = [
  route({
    method: 'get',
    path: '/v1/licenses/:id/rehearsals',
    tag: 'upgrades',
    summary: 'upgrades that were rehearsed for a license, newest first',
    access: 'license:read',
    params: idParams,
    query: z.object(pageQuery),
    answer: pageOf(rehearsalSchema),
    handle: ({ tenant, params, query }) => listRehearsals(tenant, params.id, query),
  }),
  route({
    method: 'post',
    path: '/v1/licenses/:id/rehearsals',
    tag: 'upgrades',
    summary: 'attest that an upgrade was rehearsed for a license',
    access: 'license:write',
    params: idParams,
    body: z.strictObject({ from: versionSchema, to: versionSchema, evidence: plainText(LONGEST_EVIDENCE) }),
    answer: rehearsalSchema,
    status: 201,
    handle: ({ tenant, params, body, caller }) => attestRehearsal(tenant, params.id, body, caller.actor),
  }),
];
