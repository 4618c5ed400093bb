// The keys that license documents are checked against, as they are published in `licenses/issuers.json`.
import type { KeyObject } from 'node:crypto';
import { exportJWK } from 'jose';
import { keyIdOf, publicKeyOf } from '../../signing/index.ts';

/** The content of the target, for one issuer key. */
export async function issuerKeys(issuer: KeyObject): Promise<Buffer> {
  const jwk = { ...(await exportJWK(issuer)), kid: keyIdOf(publicKeyOf(issuer)), use: 'sig', alg: 'EdDSA' };
  return Buffer.from(JSON.stringify({ keys: [jwk] }));
}
