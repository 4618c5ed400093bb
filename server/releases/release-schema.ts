// A release as the calls answer it.
import { z } from 'zod';
import { yankSchema } from '../../bundles/index.ts';

export const releaseSchema = z.strictObject({
  id: z.string(),
  product: z.string(),
  channel: z.string(),
  version: z.string(),
  counter: z.int().describe('0 for a draft'),
  state: z.enum(['draft', 'publishing', 'published', 'failed']),
  problem: z.string().nullable().describe('why publishing failed'),
  manifest: z.string(),
  content: z.string().describe('what its trees hold, however they were packed'),
  publishedAt: z.string().nullable(),
  yanked: yankSchema.nullable(),
  cves: z.array(z.string()).describe('what it fixes'),
  minAgent: z.string().nullable().describe('the oldest agent that can bring a site there'),
  irreversible: z.boolean(),
  revision: z.int(),
});
