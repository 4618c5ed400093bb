// What the service says of a channel, to everybody alike: which rollouts are under way, what was yanked, and which release is the
// newest. Signed with the key of its word to sites, so that any cache may carry it; a site finds out from it alone whether there is
// anything to ask for.
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { keyIdOf, publicKeyOf, signJws, verifyJws } from '../../signing/index.ts';
import { bundleError } from '../errors.ts';
import { channelDocumentSchema, versionSchema } from '../release.ts';
import { yankSchema } from '../upgrade/graph.ts';
import { rolloutSchema } from './rollout.ts';

const TYPE = 'rollover-bulletin+jws';

const { product, channel } = channelDocumentSchema.shape;

const MOST = { rollouts: 16, yanked: 200 } as const;

/** Unknown fields are refused: a condition that this version does not know must hold. */
export const bulletinSchema = z.strictObject({
  version: z.literal(1),
  product,
  channel,
  issuedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  /** Grows with every bulletin of a channel under one key; a site takes no smaller one. */
  sequence: z.int().positive(),
  /** Absent for a channel that offers nothing. */
  newest: z.strictObject({ version: versionSchema, counter: z.int().positive() }).optional(),
  /** A version without one is offered to all. */
  rollouts: z.array(rolloutSchema).max(MOST.rollouts),
  yanked: z.array(yankSchema.extend({ version: versionSchema })).max(MOST.yanked),
});

export type Bulletin = z.infer<typeof bulletinSchema>;

/** A verified bulletin, and the key that signed it. */
export interface Announced {
  readonly bulletin: Bulletin;
  readonly keyId: string;
}

export function signBulletin(bulletin: Bulletin, key: KeyObject): Promise<string> {
  return signJws(TYPE, bulletinSchema.parse(bulletin), key, keyIdOf(publicKeyOf(key)));
}

/**
 * A bulletin of the service's director key, about this channel.
 *
 * @param keys the verified bytes of the target `director/keys.json`
 * @param now expired ones are refused
 * @throws `bulletin-invalid`, `bulletin-expired`
 */
export async function verifyBulletin(
  document: string,
  keys: Uint8Array,
  about: { readonly product: string; readonly channel: string },
  now: Date,
): Promise<Announced> {
  const announced = await readBulletin(document, keys);
  const { bulletin } = announced;
  if (bulletin.product !== about.product || bulletin.channel !== about.channel) {
    throw bundleError('bulletin-invalid', `The bulletin is about ${bulletin.product}/${bulletin.channel}.`);
  }
  if (now.getTime() >= Date.parse(bulletin.expiresAt)) {
    throw bundleError('bulletin-expired', `The bulletin of ${about.channel} expired at ${bulletin.expiresAt}.`);
  }
  return announced;
}

async function readBulletin(document: string, keys: Uint8Array): Promise<Announced> {
  try {
    const { payload, keyId } = await verifyJws(TYPE, document, keys);
    return { bulletin: bulletinSchema.parse(payload), keyId };
  } catch (cause) {
    throw bundleError('bulletin-invalid', 'The bulletin was not signed by the service, or was altered.', { cause });
  }
}
