// License documents: a JWS that says who may run what, until when, and under which entitlement key.
// A license never stops a running cluster; what it limits is decided by the caller from the reasons given here.
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { signingError } from './errors.ts';
import { readJws, signJws, verifyJws } from './jws.ts';
import { coveredUntilMs, type Term } from './license-term.ts';

const TYPE = 'rollover-license+jws';

/** Of a product or a channel. */
const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/);

/** What more than a limit means: nothing, a warning, or that nothing new begins. What runs goes on in any case. */
export const OVERAGES = ['allow', 'warn', 'refuse'] as const;

export type Overage = (typeof OVERAGES)[number];

/** A year: longer is another license. */
const MOST_GRACE_DAYS = 366;

export const expirySchema = z.discriminatedUnion('strategy', [
  z.strictObject({ strategy: z.literal('grace'), days: z.int().positive().max(MOST_GRACE_DAYS) }),
  z.strictObject({ strategy: z.literal('lock') }),
]);

/** What a license says. Unknown fields are refused: a limit that this version does not know must not be ignored. */
export const licenseSchema = z.strictObject({
  version: z.literal(1),
  id: z.string().min(1).max(128),
  customer: z.string().min(1).max(256),
  product: name,
  channels: z.array(name).min(1).max(16),
  limits: z.strictObject({ nodes: z.int().positive(), sites: z.int().positive() }),
  features: z.array(z.string().min(1).max(64)).max(64),
  issuedAt: z.iso.datetime(),
  notBefore: z.iso.datetime(),
  /** Absent for a perpetual license. */
  expiresAt: z.iso.datetime().optional(),
  /** What is absent below is so in licenses from before there was a choice. */
  trial: z.literal(true).optional(),
  /** What more nodes or sites than the limits mean; absent: `refuse`. */
  overage: z.enum(OVERAGES).optional(),
  /** What the end means; absent: what was published before it stays open. */
  expiry: expirySchema.optional(),
  /** The limit of nodes is a pool that all sites of the license share. */
  floating: z.literal(true).optional(),
  entitlement: z.strictObject({ publicKey: z.string().length(1622) }),
});

export type License = z.infer<typeof licenseSchema>;

/** Why a license does not cover something. All that apply are returned, not only the first. */
export type LicenseObjection =
  | { readonly reason: 'not-yet-valid'; readonly notBefore: string }
  | { readonly reason: 'expired'; readonly expiresAt: string }
  | { readonly reason: 'other-product'; readonly product: string }
  | { readonly reason: 'channel-not-included'; readonly channel: string };

/** Signs a license document; compact JWS with the issuer's key id. */
export async function signLicense(license: License, issuer: KeyObject, keyId: string): Promise<string> {
  return signJws(TYPE, licenseSchema.parse(license), issuer, keyId);
}

/**
 * The license of a document, when one of the issuers signed it.
 *
 * @param issuers the verified bytes of `licenses/issuers.json`
 * @throws `license-invalid`
 */
export async function verifyLicense(document: string, issuers: Uint8Array): Promise<License> {
  try {
    return licenseSchema.parse((await verifyJws(TYPE, document, issuers)).payload);
  } catch (cause) {
    throw signingError('license-invalid', 'The license document was not signed by the vendor, or was altered.', {
      cause,
    });
  }
}

/**
 * What a document says and which key signed it, for its own issuer, who keeps it. Nothing is proven by it.
 *
 * @throws `license-invalid`
 */
export function readOwnLicense(document: string): { readonly license: License; readonly keyId: string } {
  try {
    const { payload, keyId } = readJws(document);
    return { license: licenseSchema.parse(payload), keyId };
  } catch (cause) {
    throw signingError('license-invalid', 'The license document is damaged.', { cause });
  }
}

/** When the license ends, and what that means. */
export function termOf({ expiresAt, expiry }: Pick<License, 'expiresAt' | 'expiry'>): Term {
  return { expiresMs: expiresAt === undefined ? undefined : Date.parse(expiresAt), expiry };
}

/** All that speaks against using this license for a product and channel at a time. Empty means: it covers it. */
export function licenseObjections(
  license: License,
  wanted: { readonly product: string; readonly channel: string; readonly nowMs: number },
): readonly LicenseObjection[] {
  const objections: LicenseObjection[] = [];
  if (wanted.nowMs < Date.parse(license.notBefore)) {
    objections.push({ reason: 'not-yet-valid', notBefore: license.notBefore });
  }
  const untilMs = coveredUntilMs(termOf(license));
  if (license.expiresAt !== undefined && untilMs !== undefined && wanted.nowMs >= untilMs) {
    objections.push({ reason: 'expired', expiresAt: license.expiresAt });
  }
  if (license.product !== wanted.product) objections.push({ reason: 'other-product', product: license.product });
  if (!license.channels.includes(wanted.channel)) {
    objections.push({ reason: 'channel-not-included', channel: wanted.channel });
  }
  return objections;
}
