// The entitlement secret of a license: it leaves the service once, in the license file, and is not kept.
import { randomBytes } from 'node:crypto';
import type { Selectable } from 'kysely';
import type { LicenseFile } from '../../bundles/index.ts';
import { base64url, ENTITLEMENT_SECRET_BYTES, entitlementPublicKey, pskOf } from '../../signing/index.ts';
import type { Context, Tenant } from '../context.ts';
import type { LicenseTable } from '../db/schema.ts';
import { serverError } from '../errors.ts';
import { publishedMetadata } from '../trust/repository.ts';

/** A new secret for a license, and what the service keeps of it. */
export async function newEntitlement({ vault }: Tenant, id: string) {
  const secret = randomBytes(ENTITLEMENT_SECRET_BYTES);
  const columns = {
    entitlement_public_key: await entitlementPublicKey(secret),
    sealed_psk: vault.seal(pskPurpose(id), pskOf(secret)),
  };
  return { secret, columns };
}

/** The file for the customer. @throws `trust-missing` */
export async function licenseFileOf(tenant: Tenant, document: string, secret: Uint8Array): Promise<LicenseFile> {
  const trustAnchor = await publishedMetadata(tenant, 'root');
  if (!trustAnchor) throw serverError('trust-missing', 'This organization has no root of trust yet.');
  return {
    format: 'rollover-license-file/1',
    license: document,
    entitlementSecret: base64url(secret),
    feed: tenant.feed,
    trustAnchor: trustAnchor.toString('utf8'),
  };
}

/** What a connection is opened with: the pre-shared key of a license, and whose license it is. */
export interface LicenseKey {
  readonly organization: string;
  readonly key: Buffer;
}

/** Of an active license, for the TLS handshake; undefined for any other id. */
export async function pskOfLicense({ db, vault }: Context, id: string): Promise<LicenseKey | undefined> {
  const row = await db
    .selectFrom('licenses')
    .select(['organization', 'sealed_psk'])
    .where('id', '=', id)
    .where('status', '=', 'active')
    .executeTakeFirst();
  return row && { organization: row.organization, key: vault.open(pskPurpose(id), row.sealed_psk) };
}

/** The pre-shared key of a license that the tenant has found. */
export function ownPsk(
  { vault }: Tenant,
  { id, sealed_psk: sealed }: Pick<Selectable<LicenseTable>, 'id' | 'sealed_psk'>,
) {
  return vault.open(pskPurpose(id), sealed);
}

function pskPurpose(id: string): string {
  return `psk:${id}`;
}
