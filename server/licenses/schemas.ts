// What the calls about licenses answer.
import { z } from 'zod';
import { licenseFileSchema } from '../../bundles/index.ts';
import { expirySchema, OVERAGES } from '../../signing/index.ts';
import { LIMITED } from './limits.ts';
import { LICENSE_STATUSES } from './status.ts';

export const instant = z.iso.datetime().transform(value => new Date(value));

export const licenseSchema = z.strictObject({
  id: z.string(),
  customer: z.string(),
  product: z.string(),
  channels: z.array(z.string()),
  features: z.array(z.string()),
  status: z.enum(LICENSE_STATUSES),
  suspendedReason: z.string().nullable(),
  type: z.enum(['perpetual', 'term', 'trial']),
  nodes: z.int(),
  sites: z.int(),
  overage: z.enum(OVERAGES),
  expiry: expirySchema.nullable(),
  floating: z.boolean(),
  usage: z.strictObject({ nodes: z.int(), sites: z.int(), over: z.array(z.enum(LIMITED)) }),
  expiresAt: z.string().nullable(),
  createdAt: z.string(),
  revision: z.int(),
});

export const issuedSchema = z.strictObject({
  id: z.string(),
  file: licenseFileSchema.describe('the license file: the only copy of its entitlement secret'),
});
