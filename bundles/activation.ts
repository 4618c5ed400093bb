// The license file a customer receives, and what a site and the service say to each other when it is activated.
// The file is a secret: who has it can open what the license is entitled to.
import { z } from 'zod';

/** Text that is shown to people: no control characters, which a terminal would obey. */
export function plainText(most: number) {
  return z
    .string()
    .min(1)
    .max(most)
    .regex(/^\P{Cc}*$/u, 'no control characters');
}

/** 32 bytes in the one form that base64url has for them: the last digit carries four bits. */
const secret = z.string().regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/);

const port = z.int().min(1).max(65535);

/** Where a site reaches the service. Every port speaks TLS 1.3. */
export const feedAddressSchema = z.strictObject({
  /** A name or an address, as a request can carry it. */
  host: z.string().regex(/^[\w.:%-]{1,253}$/),
  /** For sites with the license's pre-shared key. */
  port,
  /** For sites with a certificate (mutual TLS), where the service offers that. */
  mtlsPort: port.optional(),
});

export type FeedAddress = z.infer<typeof feedAddressSchema>;

/**
 * The license file. `trustAnchor` is the vendor's TUF root at the time of issue; it arrives over the same channel as the
 * entitlement secret, never together with updates.
 */
export const licenseFileSchema = z.strictObject({
  format: z.literal('rollover-license-file/1'),
  license: z.string().max(16 * 1024),
  entitlementSecret: secret,
  feed: feedAddressSchema,
  trustAnchor: z.string().max(1024 * 1024),
});

export type LicenseFile = z.infer<typeof licenseFileSchema>;

export const siteIdSchema = z.string().regex(/^site-[0-9a-f]{16}$/);

/** Site to service, once: this site uses the license from now on. Repeating it with the same site changes nothing. */
export const activationRequestSchema = z.strictObject({
  site: siteIdSchema,
  name: plainText(128),
  /** The site's signing key: 32 bytes of hex. Its reports are checked against it. */
  publicKey: z.string().regex(/^[0-9a-f]{64}$/),
});

export type ActivationRequest = z.infer<typeof activationRequestSchema>;

export const activationResponseSchema = z.strictObject({ license: z.string().max(16 * 1024) });

export type ActivationResponse = z.infer<typeof activationResponseSchema>;

/** The service's document for one site or license: a compact JWS. */
export const directorResponseSchema = z.strictObject({ document: z.string().max(256 * 1024) });

/** Site to service: how many seats of a floating license it wants; 0 gives those that it has back. */
export const seatRequestSchema = z.strictObject({ site: siteIdSchema, wanted: z.int().nonnegative().max(1_000_000) });

export type SeatRequest = z.infer<typeof seatRequestSchema>;

/** What it has, until then: asking again before keeps it. */
export const seatLeaseSchema = z.strictObject({ granted: z.int().nonnegative(), until: z.iso.datetime() });

export type SeatLease = z.infer<typeof seatLeaseSchema>;
