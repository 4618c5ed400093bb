// The calls about support bundles: taking those that were carried here, finding them, handing them out, opening and removing them.
import { z } from 'zod';
import { SUPPORT_HEAD_BYTES, SUPPORT_PART_BYTES, serve, supportAnswerSchema } from '../../bundles/index.ts';
import { sealedMessageSchema, sha256HexSchema } from '../../signing/index.ts';
import { idParams } from '../http/names.ts';
import { pageOf, pageQuery } from '../http/paging.ts';
import { type Route, route } from '../http/route.ts';
import { bundleById, bundleFile, bundleKey, listBundles, removeBundle } from './bundles.ts';
import type { SupportLimits } from './limits.ts';
import { announceBundle, storePart } from './receive.ts';

const bundleSchema = z.strictObject({
  id: z.string(),
  site: z.string(),
  via: z.string().describe('connection or file'),
  madeAt: z.string().describe('by the clock of the site'),
  receivedAt: z.string(),
  expiresAt: z.string().describe('when it is removed'),
  agentVersion: z.string(),
  note: z.string().nullable(),
  bytes: z.int().describe('of it, sealed'),
  files: z.array(z.strictObject({ name: z.string(), bytes: z.int() })),
});

const tag = 'support';
const bundleParams = idParams.extend({ bundle: z.string().min(1).max(128) });
const partParams = z.object({ bundle: sha256HexSchema, digest: sha256HexSchema });

export function supportRoutes(limits: SupportLimits): readonly Route[] {
  return [
    route({
      method: 'post',
      path: '/v1/support-bundles',
      tag,
      summary: 'the head of a support bundle that was carried here: which of its parts are to be sent',
      access: 'support:write',
      body: sealedMessageSchema,
      bodyBytes: SUPPORT_HEAD_BYTES,
      answer: supportAnswerSchema,
      handle: ({ tenant, body, caller: { actor } }) => announceBundle(tenant, limits, body, { actor }),
    }),
    route({
      method: 'put',
      path: '/v1/support-bundles/:bundle/parts/:digest',
      tag,
      summary: 'a part of a support bundle whose head is here',
      access: 'support:write',
      params: partParams,
      body: 'bytes',
      bodyBytes: SUPPORT_PART_BYTES,
      answer: 'empty',
      handle: ({ tenant, params, body, caller: { actor } }) =>
        storePart(tenant, params.bundle, params.digest, body, { actor }),
    }),
    route({
      method: 'get',
      path: '/v1/sites/:id/support-bundles',
      tag,
      summary: 'support bundles of a site, newest first',
      access: 'support:read',
      params: idParams,
      query: z.object(pageQuery),
      answer: pageOf(bundleSchema),
      handle: ({ tenant, params, query }) => listBundles(tenant, limits, params.id, query),
    }),
    route({
      method: 'get',
      path: '/v1/sites/:id/support-bundles/:bundle',
      tag,
      summary: 'one support bundle: when it was made and what is in it',
      access: 'support:read',
      params: bundleParams,
      answer: bundleSchema,
      handle: ({ tenant, params }) => bundleById(tenant, limits, params.id, params.bundle),
    }),
    route({
      method: 'get',
      path: '/v1/sites/:id/support-bundles/:bundle/content',
      tag,
      summary: 'a support bundle, sealed as it came, or the part of it that a Range asks for',
      access: 'support:read',
      params: bundleParams,
      answer: 'stream',
      async handle({ tenant, params, request, response }) {
        const file = await bundleFile(tenant, params.id, params.bundle);
        response.setHeader('cache-control', 'no-store');
        response.setHeader('content-type', 'application/octet-stream');
        await serve(file, request, response);
      },
    }),
    route({
      method: 'get',
      path: '/v1/sites/:id/support-bundles/:bundle/key',
      tag,
      summary: 'what opens one support bundle; the audit log has who asked',
      access: 'support:read',
      params: bundleParams,
      answer: z.strictObject({ key: z.string(), parts: z.array(z.string()) }),
      handle: ({ tenant, params, caller }) => bundleKey(tenant, params.id, params.bundle, caller.actor),
    }),
    route({
      method: 'delete',
      path: '/v1/sites/:id/support-bundles/:bundle',
      tag,
      summary: 'remove a support bundle before its time',
      access: 'support:write',
      params: bundleParams,
      answer: 'empty',
      handle: ({ tenant, params, caller }) => removeBundle(tenant, params.id, params.bundle, caller.actor),
    }),
  ];
}
