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
  'license.issued': z.object({ license: z.string(), customer: z.string(), product: z.string() }),
  'license.rekeyed': z.object({ license: z.string() }),
  'license.revoked': z.object({ license: z.string() }),
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
