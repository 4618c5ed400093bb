// Small signed documents of online keys: compact JWS with EdDSA, of one stated type. Which keys count is itself a signed target,
// so that a stolen one is replaced by publishing.
// jose is loaded when it is first used: most commands and all worker threads do without.
import { createPublicKey, type KeyObject } from 'node:crypto';
import type { JSONWebKeySet, JWK } from 'jose';
import { z } from 'zod';
import { keyIdOf, publicKeyOf } from './keys.ts';
import { parseStrictJson } from './strict-json.ts';

const ALGORITHM = 'EdDSA';

/** A set of public keys as it is published (RFC 7517). */
export const jwksSchema = z.object({
  keys: z
    .array(z.looseObject({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string(), kid: z.string() }))
    .min(1)
    .max(32),
});

/** The key set that is published for a signing key, in JSON: its public half. */
export async function keySetOf(key: KeyObject): Promise<Buffer> {
  const { exportJWK } = await import('jose');
  const jwk = await exportJWK(createPublicKey(key));
  const keys = [{ ...jwk, kid: keyIdOf(publicKeyOf(key)), use: 'sig', alg: ALGORITHM }];
  return Buffer.from(JSON.stringify({ keys }));
}

/** The set of one Ed25519 key that is known by its 32 bytes alone. @param publicKey hex */
export function publicKeySet(publicKey: string): Buffer {
  const kid = keyIdOf({ keytype: 'ed25519', scheme: 'ed25519', keyval: { public: publicKey } });
  const x = Buffer.from(publicKey, 'hex').toString('base64url');
  return Buffer.from(JSON.stringify({ keys: [{ kty: 'OKP', crv: 'Ed25519', x, kid, use: 'sig', alg: ALGORITHM }] }));
}

/** Signs a document. `type` keeps one kind of document from passing as another. */
export async function signJws(type: string, document: object, key: KeyObject, keyId: string): Promise<string> {
  const { CompactSign } = await import('jose');
  const header = { alg: ALGORITHM, kid: keyId, typ: type };
  return new CompactSign(Buffer.from(JSON.stringify(document))).setProtectedHeader(header).sign(key);
}

/**
 * The payload of a document of that type, when one of the keys signed it.
 *
 * @param keys the verified bytes of a published key set
 * @throws whatever is wrong with it; the caller says what that means
 */
export async function verifyJws(
  type: string,
  document: string,
  keys: Uint8Array,
): Promise<{ readonly payload: unknown; readonly keyId: string }> {
  const { compactVerify, createLocalJWKSet } = await import('jose');
  const set = jwksSchema.parse(parseStrictJson(keys));
  const keySet = createLocalJWKSet({ keys: set.keys as JWK[] } satisfies JSONWebKeySet);
  const { payload, protectedHeader } = await compactVerify(document, keySet, { algorithms: [ALGORITHM] });
  if (protectedHeader.typ !== type) throw new TypeError(`a ${protectedHeader.typ} where a ${type} was expected`);
  return { payload: parseStrictJson(payload), keyId: protectedHeader.kid ?? '' };
}

/** Payload and key id of a document, unverified. @throws whatever is wrong with it */
export function readJws(document: string): { readonly payload: unknown; readonly keyId: string } {
  const [header = '', payload = ''] = document.split('.');
  const read = (part: string) => parseStrictJson(Buffer.from(part, 'base64url'));
  return { payload: read(payload), keyId: z.object({ kid: z.string() }).parse(read(header)).kid };
}
