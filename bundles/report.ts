// What a site tells its vendor, now and then: what runs there. Signed by the site and sealed to the vendor's report key, so that
// whoever carries it (a relay, a proxy, a stick) neither reads nor forges it. A repository of before that key gets the
// plain, shorter report inside of the encrypted connection.
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { type SealedMessage, sealedMessageSchema } from '../signing/index.ts';
import { plainText, siteIdSchema } from './activation.ts';
import { type OpenedMessage, openSigned, sealSigned } from './signed-message.ts';

/** There are 13 states; a later agent may know more. */
const MOST_STATES = 32;

const fields = {
  site: siteIdSchema,
  at: z.iso.datetime(),
  agentVersion: plainText(64),
  installed: plainText(128).optional(),
  available: plainText(128).optional(),
  nodes: z
    .record(plainText(64), z.int().nonnegative().max(1_000_000))
    .refine(nodes => Object.keys(nodes).length <= MOST_STATES, `more than ${MOST_STATES} states`),
  rollover: z.enum(['none', 'running', 'blocked', 'completed']),
};

/** The plain report, as every version has sent it. */
export const siteReportSchema = z.strictObject(fields);

export type SiteReport = z.infer<typeof siteReportSchema>;

/** States of a node that takes no seat of a license: not in the cluster yet, off, or on its way out. */
const NOT_LIVE: ReadonlySet<string> = new Set(['discovered', 'fenced', 'quarantined', 'leaving', 'removed']);

/** Whether a node in this state counts for the license. One in a state that is not known does. */
export function isLive(state: string): boolean {
  return !NOT_LIVE.has(state);
}

/** How many nodes of a report count for the license. */
export function liveNodes({ nodes }: Pick<SiteReport, 'nodes'>): number {
  return Object.entries(nodes).reduce((sum, [state, count]) => (isLive(state) ? sum + count : sum), 0);
}

export const HEALTHS = ['healthy', 'warning', 'failing'] as const;

/** Sentences for people, as far as there is room for them. */
const sentences = z.array(plainText(256)).max(8);

/**
 * The sealed report. Unknown fields are dropped: sites are updated by their operators, and a newer one has to be readable by a
 * service that knows less.
 */
export const siteStatusSchema = z.object({
  ...fields,
  /** Grows with every report of a site: an older one, sent again, says nothing. */
  sequence: z.int().positive(),
  /** How it was meant to travel. */
  via: z.enum(['connection', 'receipt']),
  channel: plainText(128).optional(),
  release: z.object({ manifest: plainText(64), counter: z.int().positive() }).optional(),
  progress: z
    .object({
      target: plainText(128),
      /** What the batch under way is doing: a node state. */
      phase: plainText(64),
      done: z.int().nonnegative(),
      total: z.int().nonnegative(),
      reason: plainText(256).optional(),
      startedAt: z.iso.datetime(),
      etaMs: z.int().nonnegative().optional(),
    })
    .optional(),
  health: z.enum(HEALTHS).optional(),
  problems: sentences.optional(),
  waitsFor: sentences.optional(),
  /** Of a receipt: whose site it is, for a service that has never heard of it. */
  claim: z
    .object({
      license: plainText(64),
      name: plainText(128),
      publicKey: z.hex().length(64),
      proof: z.base64url().max(64),
    })
    .optional(),
});

export type SiteStatus = z.infer<typeof siteStatusSchema>;

export const sealedReportSchema = sealedMessageSchema;
/** The largest report that is taken, sealed, in JSON. */
export const SEALED_REPORT_BYTES = 64 * 1024;

const KIND = { type: 'rollover-report+jws', purpose: 'report', schema: siteStatusSchema };

/** Signs a report with the site's key and seals it. @param keySet the verified bytes of the target `reports/keys.json` */
export function sealReport(status: SiteStatus, key: KeyObject, keySet: Uint8Array): Promise<SealedMessage> {
  return sealSigned(KIND, status, key, keySet);
}

export type OpenedReport = OpenedMessage<SiteStatus>;

/** @throws `message-unopenable`, and whatever is wrong with its content */
export function openReport(sealed: SealedMessage, secret: Uint8Array): Promise<OpenedReport> {
  return openSigned(KIND, sealed, secret);
}
