// The second opinion (Uptane): a document of the service, for one license and one site, that says what may be installed there. The
// offline keys say what exists; only what both agree on is installed. So a stolen online key cannot introduce software, and
// signed software does not go where the vendor does not send it.
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { sha256HexSchema } from './encoding.ts';
import { signingError } from './errors.ts';
import { signJws, verifyJws } from './jws.ts';

const TYPE = 'rollover-director+jws';

const installSchema = z.strictObject({
  channel: z.string().min(1).max(64),
  version: z.string().min(1).max(128),
  counter: z.int().positive(),
  manifest: z.strictObject({ sha256: sha256HexSchema, length: z.int().positive() }),
  /** The kind of machine that its image boots; absent for a release without one. */
  hardware: z.string().min(1).max(64).optional(),
});

const stepSchema = z.strictObject({ from: z.string().min(1).max(128), to: z.string().min(1).max(128) });

/** What the service says to one site. Unknown fields are refused: a condition that this version does not know must hold. */
export const directorSchema = z.strictObject({
  version: z.literal(1),
  license: z.string().min(1).max(128),
  /** Absent on media: then it is for every site of the license. */
  site: z.string().min(1).max(128).optional(),
  product: z.string().min(1).max(64),
  issuedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  /** Grows with every document under one key; a site takes no smaller one. */
  sequence: z.int().positive(),
  installs: z.array(installSchema).max(64),
  /** Steps that were rehearsed, as the vendor has found: where the upgrade graph demands that, they are open. */
  rehearsals: z.array(stepSchema).max(64).optional(),
});

export type Director = z.infer<typeof directorSchema>;
export type Install = Director['installs'][number];

/** A verified document, and the key that signed it. */
export interface Direction {
  readonly director: Director;
  readonly keyId: string;
}

/** The last document that a site has followed. */
export interface Followed {
  readonly keyId: string;
  readonly sequence: number;
}

export async function signDirector(director: Director, key: KeyObject, keyId: string): Promise<string> {
  return signJws(TYPE, directorSchema.parse(director), key, keyId);
}

/**
 * A document of the service's director key.
 *
 * @param keys the verified bytes of the target `director/keys.json`
 * @throws `director-invalid`
 */
export async function verifyDirector(document: string, keys: Uint8Array): Promise<Direction> {
  try {
    const { payload, keyId } = await verifyJws(TYPE, document, keys);
    return { director: directorSchema.parse(payload), keyId };
  } catch (cause) {
    throw signingError(
      'director-invalid',
      'The service’s document for this site was not signed by it, or was altered.',
      {
        cause,
      },
    );
  }
}

/**
 * Holds a document against the site that is to follow it: it is for this license and site, still valid, and not older than
 * the last one. A new key starts its own sequence, so that a number from a stolen one does not outlive it.
 *
 * @throws `director-invalid`, `director-expired`, `director-older`
 */
export function requireDirection(
  { director, keyId }: Direction,
  site: { readonly license: string; readonly site: string; readonly product: string },
  followed: Followed | undefined,
  nowMs: number,
): void {
  const foreign =
    director.license !== site.license ||
    director.product !== site.product ||
    (director.site !== undefined && director.site !== site.site);
  if (foreign) throw signingError('director-invalid', 'The service’s document is for another license or another site.');
  if (nowMs >= Date.parse(director.expiresAt)) {
    throw signingError('director-expired', `What the service said to this site expired at ${director.expiresAt}.`);
  }
  if (followed && followed.keyId === keyId && director.sequence < followed.sequence) {
    const known = `number ${followed.sequence} is known`;
    throw signingError('director-older', `The service’s document is number ${director.sequence}; ${known}.`);
  }
}
