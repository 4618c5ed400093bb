// How a site that never talks to the service proves that it holds a license: a MAC over what it is, under a key that the license's
// entitlement secret gives, and that the service derives from what it keeps of it.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { base64url } from './encoding.ts';
import { derive } from './hpke.ts';

/** What a site says of itself when it is activated. */
export interface ClaimedSite {
  readonly license: string;
  readonly site: string;
  readonly name: string;
  /** Hex. */
  readonly publicKey: string;
}

/** @param psk of the license, as `pskOf` gives it */
export function siteClaim(psk: Uint8Array, { license, site, name, publicKey }: ClaimedSite): string {
  const mac = createHmac('sha256', derive(psk, 'rollover/v1 site-claim'));
  return base64url(mac.update(JSON.stringify([license, site, name, publicKey])).digest());
}

export function isSiteClaim(psk: Uint8Array, claimed: ClaimedSite, proof: string): boolean {
  const [own, given] = [Buffer.from(siteClaim(psk, claimed)), Buffer.from(proof)];
  return own.length === given.length && timingSafeEqual(own, given);
}
