// The calls about the root of trust and the published metadata.
import { z } from 'zod';
import { serverError } from '../errors.ts';
import { base64Schema, filesSchema } from '../files.ts';
import { sendMetadata } from '../http/objects.ts';
import { route } from '../http/route.ts';
import { publishCeremony } from './ceremony.ts';
import { publishedMetadata } from './repository.ts';
import { nextOnlineKeys, ONLINE_KEYS, onlineKeys, setUpTrust } from './setup.ts';

const LONGEST_NAME = 512;
/** Root and targets in base64, with thousands of delegations. */
const METADATA_BYTES = 96 * 1024 * 1024;

const publicKey = z.strictObject({
  keytype: z.string(),
  scheme: z.string(),
  keyval: z.strictObject({ public: z.string() }),
});

const onlineKeysSchema = z.strictObject({
  snapshot: publicKey,
  timestamp: publicKey,
  issuers: z.string(),
  director: z.string(),
  reports: z.string().optional(),
});

const file = z.string().min(1).max(LONGEST_NAME);

export const trustRoutes = [
  route({
    method: 'get',
    path: '/v1/trust/online-keys',
    tag: 'trust',
    summary: 'the public halves of the keys that the service keeps, for the first root',
    access: 'trust:read',
    answer: onlineKeysSchema,
    handle: ({ tenant }) => onlineKeys(tenant),
  }),
  route({
    method: 'post',
    path: '/v1/trust',
    tag: 'trust',
    summary: 'publish the first root of trust, once',
    access: 'trust:write',
    body: z.strictObject({
      root: base64Schema,
      targets: base64Schema,
      issuers: base64Schema,
      director: base64Schema,
      reports: base64Schema.optional(),
    }),
    bodyBytes: METADATA_BYTES,
    answer: z.strictObject({ status: z.literal('set up') }),
    status: 201,
    async handle({ tenant, body, caller }) {
      await setUpTrust(tenant, body, caller.actor);
      return { status: 'set up' as const };
    },
  }),
  route({
    method: 'post',
    path: '/v1/trust/next-online-keys',
    tag: 'trust',
    summary: 'make the next online keys; they are taken up with the root or targets that name them',
    access: 'trust:write',
    body: z.strictObject({ keys: z.array(z.enum(ONLINE_KEYS)).min(1) }),
    answer: onlineKeysSchema.partial(),
    status: 201,
    handle: ({ tenant, body }) => nextOnlineKeys(tenant, body.keys),
  }),
  route({
    method: 'post',
    path: '/v1/trust/publications',
    tag: 'trust',
    summary: 'publish signed roles, all of them or none',
    access: 'trust:write',
    body: z.strictObject({ metadata: filesSchema(LONGEST_NAME) }),
    bodyBytes: METADATA_BYTES,
    answer: z.strictObject({ status: z.literal('published') }),
    status: 201,
    async handle({ tenant, body, caller }) {
      await publishCeremony(tenant, body.metadata, caller.actor);
      return { status: 'published' as const };
    },
  }),
  route({
    method: 'get',
    path: '/v1/roles/:role',
    tag: 'trust',
    summary: 'the newest metadata file of a role',
    access: 'trust:read',
    params: z.object({ role: file }),
    answer: 'stream',
    async handle({ tenant, params, response }) {
      const bytes = await publishedMetadata(tenant, params.role);
      if (!bytes) throw serverError('not-found', `There is no role ${params.role}.`);
      response.type('application/json').send(bytes);
    },
  }),
  route({
    method: 'get',
    path: '/v1/metadata/:name',
    tag: 'trust',
    summary: 'a metadata file under its repository name, such as 3.root.json',
    access: 'trust:read',
    params: z.object({ name: file }),
    answer: 'stream',
    handle: ({ tenant, params, request, response }) => sendMetadata(tenant, params.name, request, response),
  }),
];
