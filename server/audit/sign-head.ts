// Signs the end of a chain with the key of the service's word to sites: its key set is a target, so that the vendor's offline keys
// vouch for it, and a stolen one is replaced by publishing.
import { keyIdOf, publicKeyOf, signJws } from '../../signing/index.ts';
import type { Tenant } from '../context.ts';
import { onlineKey } from '../secrets.ts';
import { documentKeySet } from '../trust/document-keys.ts';
import { headOf } from './entries.ts';
import { HEAD_TYPE, type SignedHead } from './head.ts';

const KEY = 'director';

/** The end of the tenant's chain now. */
export async function signHead(tenant: Tenant): Promise<SignedHead> {
  const head = { ...(await headOf(tenant.db, tenant.organization)), at: tenant.now().toISOString() };
  const key = await onlineKey(tenant, KEY);
  const signed = await signJws(HEAD_TYPE, { version: 1, ...head }, key, keyIdOf(publicKeyOf(key)));
  return { ...head, signed, keys: (await documentKeySet(tenant, KEY)).toString('utf8') };
}
