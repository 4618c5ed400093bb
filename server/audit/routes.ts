// The audit log over HTTP: pages for people, the chain for auditors, its end as the service's signed word.
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { requireEveryProduct } from '../access/products.ts';
import { pageOf, pageQuery } from '../http/paging.ts';
import { type Route, route } from '../http/route.ts';
import { chainedEntrySchema } from './chain.ts';
import { exportLines, listEntries } from './entries.ts';
import { signedHeadSchema } from './head.ts';
import { signHead } from './sign-head.ts';

const text = z.string().max(256).optional();
const instant = z.iso
  .datetime()
  .transform(value => new Date(value))
  .optional();

export const auditRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/audit',
    tag: 'audit',
    summary: 'who did what, newest first',
    access: 'audit:read',
    query: z.object({ ...pageQuery, actor: text, action: text, subject: text, since: instant, until: instant }),
    answer: pageOf(chainedEntrySchema),
    async handle({ tenant, caller, query }) {
      requireEveryProduct(caller);
      return listEntries(tenant, query);
    },
  }),
  route({
    method: 'get',
    path: '/v1/audit/export',
    tag: 'audit',
    summary: 'the chain as JSON lines, oldest first',
    access: 'audit:read',
    query: z.object({
      after: z.coerce
        .number()
        .int()
        .nonnegative()
        .default(0)
        .describe('the number of the last entry that is there already'),
      limit: z.coerce.number().int().positive().optional().describe('lines at most; all unless given'),
    }),
    answer: 'stream',
    async handle({ tenant, caller, query, response }) {
      requireEveryProduct(caller);
      response.type('application/x-ndjson');
      const lines = Readable.from(exportLines(tenant, query.after, query.limit));
      await pipeline(lines, response);
    },
  }),
  route({
    method: 'get',
    path: '/v1/audit/head',
    tag: 'audit',
    summary: 'the end of the chain, signed: to be kept elsewhere',
    access: 'audit:read',
    answer: signedHeadSchema,
    async handle({ tenant, caller }) {
      requireEveryProduct(caller);
      return signHead(tenant);
    },
  }),
];
