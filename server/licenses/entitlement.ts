// The entitlement secret of a license: it leaves the service once, in the license file, and is not kept.
import { randomBytes } from 'node:crypto';
import type { Selectable } from 'kysely';
import { type LicenseFile, licenseOfRelay } from '../../bundles/index.ts';
import { base64url, ENTITLEMENT_SECRET_BYTES, entitlementPublicKey, pskOf, relayPskOf } from '../../signing/index.ts';
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
  readonly license: string;
  readonly organization: string;
  /** Relays read what a site would, and are no site. */
  readonly isRelay: boolean;
  readonly key: Buffer;
}

/** Of an active license, for the TLS handshake of a site or a relay; undefined for any other identity. */
export async function keyOfIdentity({ db, vault }: Context, identity: string): Promise<LicenseKey | undefined> {
  const relayed = licenseOfRelay(identity);
  const id = relayed ?? identity;
  const row = await db
    .selectFrom('licenses')
    .select(['organization', 'sealed_psk'])
    .where('id', '=', id)
    .where('status', '=', 'active')
    .executeTakeFirst();
  if (!row) return undefined;
  const psk = vault.open(pskPurpose(id), row.sealed_psk);
  const isRelay = relayed !== undefined;
  return { license: id, organization: row.organization, isRelay, key: isRelay ? relayPskOf(psk) : psk };
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
