// The calls about what becomes of a release: drafts, promotion, yanks, and the channels that follow.
import { z } from 'zod';
import { plainText } from '../../bundles/index.ts';
import { sha256HexSchema } from '../../signing/index.ts';
import { base64Schema, filesSchema } from '../files.ts';
import { idParams, nameSchema } from '../http/names.ts';
import { type Route, route } from '../http/route.ts';
import type { BulletinBoard } from '../rollouts/board.ts';
import { listChannels } from './channels.ts';
import { documentsOf } from './documents.ts';
import { keepDraft } from './drafts.ts';
import { promoteRelease } from './promotion.ts';
import type { PublishJob } from './publication.ts';
import { releaseSchema } from './release-schema.ts';
import { unyankRelease, yankRelease } from './yanks.ts';

const SUBMISSION_BYTES = 96 * 1024 * 1024;
const LONGEST_NAME = 512;
/** As in the graph. */
const LONGEST_REASON = 500;

const channelSchema = z.strictObject({
  product: z.string(),
  channel: z.string(),
  newest: z
    .strictObject({
      release: z.string(),
      version: z.string(),
      counter: z.int(),
      publishedAt: z.string().nullable(),
    })
    .nullable()
    .describe('the last that was published and not yanked'),
  releases: z.int(),
  yanked: z.array(z.string()).describe('versions'),
});

/** All of them. A yank is on the board before it is answered. */
export function lifecycleRoutes(
  publish: (job: PublishJob) => Promise<void>,
  board: Pick<BulletinBoard, 'read'>,
): readonly Route[] {
  return [
    route({
      method: 'get',
      path: '/v1/channels',
      tag: 'releases',
      summary: 'channels, and what is newest in each',
      access: 'channel:read',
      query: z.object({ product: nameSchema.optional() }),
      answer: z.strictObject({ channels: z.array(channelSchema) }),
      handle: async ({ tenant, query }) => ({ channels: await listChannels(tenant, query.product) }),
    }),
    route({
      method: 'post',
      path: '/v1/drafts',
      tag: 'releases',
      summary: 'keep a release whose objects are uploaded, unsigned and unseen by sites',
      access: 'release:write',
      body: z.strictObject({
        document: base64Schema,
        content: sha256HexSchema,
        index: sha256HexSchema,
        contentKey: base64Schema,
        sbom: sha256HexSchema,
        provenance: sha256HexSchema,
      }),
      answer: releaseSchema,
      status: 201,
      handle: ({ tenant, body, caller }) => keepDraft(tenant, body, caller.actor),
    }),
    route({
      method: 'get',
      path: '/v1/releases/:id/documents',
      tag: 'releases',
      summary: 'what was signed about a release, or is to be',
      access: 'release:read',
      params: idParams,
      answer: z.strictObject({
        document: z.string().describe('release.json in base64'),
        sbom: z.string().nullable().describe('SHA-256 of the object'),
        provenance: z.string().nullable().describe('SHA-256 of the object'),
      }),
      handle: ({ tenant, params }) => documentsOf(tenant, params.id),
    }),
    route({
      method: 'post',
      path: '/v1/releases/:id/promotions',
      tag: 'releases',
      summary: 'publish a release that is stored already in another channel',
      access: 'release:write',
      params: idParams,
      body: z.strictObject({
        channel: nameSchema,
        document: base64Schema,
        metadata: filesSchema(LONGEST_NAME),
        targets: filesSchema(LONGEST_NAME),
        backward: z.boolean().default(false).describe('against the order of channels'),
      }),
      bodyBytes: SUBMISSION_BYTES,
      answer: releaseSchema,
      status: 202,
      handle({ tenant, params, body: { metadata, targets, ...rest }, caller }) {
        const promotion = { ...rest, publication: { metadata, targets } };
        return promoteRelease(tenant, params.id, promotion, publish, caller.actor);
      },
    }),
    route({
      method: 'post',
      path: '/v1/releases/:id/yank',
      tag: 'releases',
      summary: 'name a release to no site any more',
      access: 'release:write',
      params: idParams,
      body: z.strictObject({ reason: plainText(LONGEST_REASON), advice: plainText(LONGEST_REASON) }),
      answer: releaseSchema,
      async handle({ tenant, params, body, ifMatch, caller }) {
        const release = await yankRelease(tenant, params.id, body, ifMatch, caller.actor);
        await board.read();
        return release;
      },
    }),
    route({
      method: 'post',
      path: '/v1/releases/:id/unyank',
      tag: 'releases',
      summary: 'take a yank back',
      access: 'release:write',
      params: idParams,
      body: z.strictObject({}),
      answer: releaseSchema,
      async handle({ tenant, params, ifMatch, caller }) {
        const release = await unyankRelease(tenant, params.id, ifMatch, caller.actor);
        await board.read();
        return release;
      },
    }),
  ];
}
