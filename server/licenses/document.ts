// The license document: what the row of a license says, signed by the issuer key in use.
import type { Selectable } from 'kysely';
import { type Expiry, keyIdOf, type License, publicKeyOf, readOwnLicense, signLicense } from '../../signing/index.ts';
import type { Tenant } from '../context.ts';
import type { LicenseTable } from '../db/schema.ts';
import { onlineKey } from '../secrets.ts';

/** What a document is made of. */
export type LicenseTerms = Pick<
  Selectable<LicenseTable>,
  | 'id'
  | 'customer'
  | 'product'
  | 'channels'
  | 'node_limit'
  | 'site_limit'
  | 'features'
  | 'trial'
  | 'overage'
  | 'expiry'
  | 'grace_days'
  | 'floating'
  | 'entitlement_public_key'
  | 'expires_at'
  | 'created_at'
>;

/**
 * A new document for these terms.
 *
 * @param before the one that it replaces: sites take only what was issued later
 */
export async function signedDocument(tenant: Tenant, row: LicenseTerms, before?: string): Promise<string> {
  const last = before === undefined ? 0 : Date.parse(readOwnLicense(before).license.issuedAt);
  const issuedAt = new Date(Math.max(tenant.now().getTime(), last + 1));
  const { key, keyId } = await issuerOf(tenant);
  return signLicense(licenseOf(row, issuedAt), key, keyId);
}

/** The document under the issuer key in use: after a rotation it is signed again when it is asked for. */
export async function currentDocument(tenant: Tenant, id: string, document: string): Promise<string> {
  const { key, keyId } = await issuerOf(tenant);
  const known = readOwnLicense(document);
  if (known.keyId === keyId) return document;
  const signed = await signLicense(known.license, key, keyId);
  const isUnchanged = tenant.db.updateTable('licenses').set({ document: signed }).where('id', '=', id);
  await isUnchanged.where('document', '=', document).execute();
  return signed;
}

async function issuerOf(tenant: Tenant) {
  const key = await onlineKey(tenant, 'license-issuer');
  return { key, keyId: keyIdOf(publicKeyOf(key)) };
}

/** What is as it always was is not said: sites of before there was a choice read the document, too. */
function licenseOf(row: LicenseTerms, issuedAt: Date): License {
  const expiry = expiryOf(row);
  return {
    version: 1,
    id: row.id,
    customer: row.customer,
    product: row.product,
    channels: [...row.channels],
    limits: { nodes: row.node_limit, sites: row.site_limit },
    features: [...row.features],
    issuedAt: issuedAt.toISOString(),
    notBefore: row.created_at.toISOString(),
    ...(row.expires_at ? { expiresAt: row.expires_at.toISOString() } : {}),
    ...(row.trial ? { trial: true } : {}),
    ...(row.overage === 'refuse' ? {} : { overage: row.overage }),
    ...(expiry ? { expiry } : {}),
    ...(row.floating ? { floating: true } : {}),
    entitlement: { publicKey: row.entitlement_public_key },
  };
}

/** What the end of a license means; undefined where what was published before it stays open. */
export function expiryOf({
  expiry,
  grace_days: days,
}: Pick<LicenseTerms, 'expiry' | 'grace_days'>): Expiry | undefined {
  if (expiry === 'keep') return undefined;
  return expiry === 'grace' ? { strategy: 'grace', days } : { strategy: 'lock' };
}
