// What a vendor's systems can be told of. A type is never renamed and never loses a field: receivers rely on them.
import { z } from 'zod';
import { signedHeadSchema } from '../audit/head.ts';

/** By type, what is said. Other fields than these are dropped, so that no secret gets out with a row that is passed whole. */
export const EVENTS = {
  'release.published': z.object({ release: z.string(), product: z.string(), channel: z.string(), version: z.string() }),
  'release.failed': z.object({
    release: z.string(),
    product: z.string(),
    channel: z.string(),
    version: z.string(),
    problem: z.string(),
  }),
  'release.promoted': z.object({
    release: z.string(),
    product: z.string(),
    version: z.string(),
    from: z.string(),
    to: z.string(),
  }),
  'release.yanked': z.object({
    release: z.string(),
    product: z.string(),
    channel: z.string(),
    version: z.string(),
    reason: z.string(),
    advice: z.string(),
  }),
  'release.unyanked': z.object({ release: z.string(), product: z.string(), channel: z.string(), version: z.string() }),
  'graph.published': z.object({ product: z.string(), versions: z.int() }),
  'license.issued': z.object({ license: z.string(), customer: z.string(), product: z.string() }),
  'license.rekeyed': z.object({ license: z.string() }),
  'license.revoked': z.object({ license: z.string() }),
  'license.renewed': z.object({ license: z.string(), expiresAt: z.string().nullable() }),
  'license.suspended': z.object({ license: z.string(), reason: z.string() }),
  'license.resumed': z.object({ license: z.string() }),
  'license.transferred': z.object({
    license: z.string(),
    from: z.string(),
    customer: z.string(),
    sites: z.int().describe('that were forgotten'),
  }),
  'license.changed': z.object({ license: z.string(), changed: z.array(z.string()) }),
  /** More than the license covers is in use, and its policy is to warn: when the limit is passed. */
  'license.overage': z.object({
    license: z.string(),
    what: z.enum(['nodes', 'sites', 'seats']),
    used: z.int(),
    limit: z.int(),
  }),
  'site.activated': z.object({ site: z.string(), name: z.string(), license: z.string() }),
  'site.removed': z.object({ site: z.string() }),
  'site.version-changed': z.object({
    site: z.string(),
    name: z.string(),
    license: z.string(),
    from: z.string().nullable(),
    to: z.string(),
  }),
  'site.rollover-failed': z.object({
    site: z.string(),
    name: z.string(),
    license: z.string(),
    version: z.string().nullable(),
    reason: z.string().nullable(),
  }),
  'support-bundle.received': z.object({
    bundle: z.string(),
    site: z.string(),
    name: z.string(),
    license: z.string(),
    bytes: z.int(),
  }),
  'rollout.created': z.object({ rollout: z.string(), product: z.string(), channel: z.string(), version: z.string() }),
  'rollout.changed': z.object({ rollout: z.string(), version: z.string(), state: z.string() }),
  'rollout.halted': z.object({ product: z.string(), channel: z.string(), version: z.string(), reason: z.string() }),
  'certificate.revoked': z.object({ serial: z.string(), license: z.string() }),
  'trust.published': z.object({ roles: z.array(z.string()) }),
  'webhook.disabled': z.object({ webhook: z.string(), reason: z.string() }),
  /** The end of the audit log, once a day: kept by the receiver, it shows history that is written anew. */
  'audit.head': signedHeadSchema,
  /** Sent by hand, to see whether a receiver works. */
  ping: z.object({ webhook: z.string() }),
} as const satisfies Readonly<Record<string, z.ZodObject>>;

export type EventType = keyof typeof EVENTS;

export const EVENT_TYPES = Object.keys(EVENTS) as readonly EventType[];

/** An endpoint that wants this wants every type, those of later versions included. */
export const EVERY_TYPE = '*';

export type WebhookEvent = {
  readonly [T in EventType]: { readonly type: T; readonly data: z.input<(typeof EVENTS)[T]> };
}[EventType];
