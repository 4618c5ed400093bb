// The calls of the release pipeline: objects, releases, and what a packer and an exporter need to know of them.
import { z } from 'zod';
import { versionSchema } from '../../bundles/index.ts';
import { sha256HexSchema } from '../../signing/index.ts';
import { base64Schema, filesSchema } from '../files.ts';
import { digestParams, idParams, nameSchema } from '../http/names.ts';
import { sendObject } from '../http/objects.ts';
import { pageOf, pageQuery } from '../http/paging.ts';
import { type Route, route } from '../http/route.ts';
import { countWraps } from '../licenses/wraps.ts';
import { contentKeyOf, contentKeys, segmentsOf } from './content-keys.ts';
import { collectGarbage, GARBAGE_GRACE_MS } from './garbage.ts';
import { leaseObjects } from './leases.ts';
import type { PublishJob } from './publication.ts';
import { releaseSchema } from './release-schema.ts';
import { listReleases, releaseById } from './releases.ts';
import { submitRelease } from './submission.ts';

/** A sealed manifest is the largest object; a segment has about 1 MiB. */
const OBJECT_BYTES = 128 * 1024 * 1024;
const SUBMISSION_BYTES = 96 * 1024 * 1024;
/** Holds the leases of objects that have just been uploaded. */
const UPLOADS = 'uploads';
/** Objects asked about in one request. */
const MISSING_AT_ONCE = 1000;
const LONGEST_NAME = 512;

/** Wraps the key of a release for all licenses of an organization. */
export interface WrapJob {
  readonly organization: string;
  readonly manifest: string;
}

/** Long work, handed to the queue. */
export interface Jobs {
  publish(job: PublishJob): Promise<void>;
  wrapForAll(job: WrapJob): Promise<void>;
}

const objectRoutes = [
  route({
    method: 'get',
    path: '/v1/objects/:digest',
    tag: 'objects',
    summary: 'a sealed or signed object, or the part of it that a Range asks for',
    access: 'release:read',
    params: digestParams,
    answer: 'stream',
    handle: ({ tenant, params, request, response }) => sendObject(tenant.blobs, params.digest, request, response),
  }),
  route({
    method: 'put',
    path: '/v1/objects/:digest',
    tag: 'objects',
    summary: 'store an object under its digest',
    access: 'release:write',
    params: digestParams,
    body: 'bytes',
    bodyBytes: OBJECT_BYTES,
    answer: 'empty',
    async handle({ tenant, params, body }) {
      await leaseObjects(tenant, UPLOADS, [params.digest]);
      await tenant.blobs.put(params.digest, body);
    },
  }),
  route({
    method: 'post',
    path: '/v1/objects/missing',
    tag: 'objects',
    summary: 'which of these objects have to be uploaded; the others are kept for the holder',
    access: 'release:write',
    body: z.strictObject({
      holder: z.uuid(),
      digests: z.array(sha256HexSchema).min(1).max(MISSING_AT_ONCE),
    }),
    answer: z.strictObject({ missing: z.array(z.string()) }),
    handle: async ({ tenant, body }) => ({ missing: await leaseObjects(tenant, body.holder, body.digests) }),
  }),
  route({
    method: 'post',
    path: '/v1/garbage',
    tag: 'objects',
    summary: 'remove objects that nothing needs',
    access: 'release:write',
    body: z.strictObject({
      dryRun: z.boolean().default(false),
      graceSeconds: z
        .int()
        .min(60)
        .default(GARBAGE_GRACE_MS / 1000),
    }),
    answer: z.strictObject({ objects: z.int(), bytes: z.int(), keptObjects: z.int() }),
    handle: ({ tenant, body }) => collectGarbage(tenant, { dryRun: body.dryRun, graceMs: body.graceSeconds * 1000 }),
  }),
];

const manifestRoutes = (jobs: Jobs) => [
  route({
    method: 'get',
    path: '/v1/products/:product/content-keys',
    tag: 'releases',
    summary: 'published releases with their content keys, newest first, for the vendor’s packer',
    access: 'release:write',
    params: z.object({ product: nameSchema }),
    query: z.object({ limit: z.coerce.number().int().min(1).max(1000).default(1000) }),
    answer: z.strictObject({
      releases: z.array(
        z.strictObject({
          version: z.string(),
          channel: z.string(),
          manifest: z.string(),
          index: z.string(),
          contentKey: z.string(),
        }),
      ),
    }),
    handle: async ({ tenant, params, query }) => ({
      releases: await contentKeys(tenant, params.product, query.limit),
    }),
  }),
  route({
    method: 'get',
    path: '/v1/manifests/:digest/segments',
    tag: 'releases',
    summary: 'names and sizes of a release’s segments, for who copies them without a key',
    access: 'release:read',
    params: digestParams,
    answer: z.strictObject({ segments: z.array(z.strictObject({ name: z.string(), size: z.int() })) }),
    handle: async ({ tenant, params }) => ({ segments: await segmentsOf(tenant, params.digest) }),
  }),
  route({
    method: 'get',
    path: '/v1/manifests/:digest/wraps',
    tag: 'releases',
    summary: 'how many licenses include a release, and have its wrapped key',
    access: 'release:read',
    params: digestParams,
    answer: z.strictObject({ entitled: z.int(), wrapped: z.int() }),
    handle: ({ tenant, params }) => countWraps(tenant, params.digest),
  }),
  route({
    method: 'post',
    path: '/v1/manifests/:digest/wraps',
    tag: 'releases',
    summary: 'wrap the key of a release for all licenses, ahead of being asked',
    access: 'release:write',
    params: digestParams,
    body: z.strictObject({}),
    answer: z.strictObject({ status: z.literal('started') }),
    status: 202,
    async handle({ tenant, params }) {
      const { organization } = tenant;
      await contentKeyOf(tenant, params.digest);
      await jobs.wrapForAll({ organization, manifest: params.digest });
      return { status: 'started' as const };
    },
  }),
];

/** All of them. */
export function releaseRoutes(jobs: Jobs): readonly Route[] {
  return [
    ...objectRoutes,
    ...manifestRoutes(jobs),
    route({
      method: 'get',
      path: '/v1/releases',
      tag: 'releases',
      summary: 'releases, newest first',
      access: 'release:read',
      query: z.object({
        ...pageQuery,
        product: nameSchema.optional(),
        channel: nameSchema.optional(),
        version: versionSchema.optional(),
      }),
      answer: pageOf(releaseSchema),
      handle: ({ tenant, query }) => listReleases(tenant, query),
    }),
    route({
      method: 'get',
      path: '/v1/releases/:id',
      tag: 'releases',
      summary: 'a release',
      access: 'release:read',
      params: idParams,
      answer: releaseSchema,
      handle: ({ tenant, params }) => releaseById(tenant, params.id),
    }),
    route({
      method: 'post',
      path: '/v1/releases',
      tag: 'releases',
      summary: 'publish a release whose objects are uploaded',
      access: 'release:write',
      body: z.strictObject({
        channel: nameSchema,
        document: base64Schema,
        content: sha256HexSchema,
        index: sha256HexSchema,
        contentKey: base64Schema,
        metadata: filesSchema(LONGEST_NAME),
        targets: filesSchema(LONGEST_NAME),
      }),
      bodyBytes: SUBMISSION_BYTES,
      answer: releaseSchema,
      status: 202,
      handle({ tenant, body: { metadata, targets, ...rest }, caller }) {
        return submitRelease(tenant, { ...rest, publication: { metadata, targets } }, jobs.publish, caller.actor);
      },
    }),
  ];
}
