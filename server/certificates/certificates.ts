// The certificates of licenses: issued, listed, revoked one by one, and looked up when a site shows one. A site may connect
// with a certificate instead of its license's key; what it opens is the same.
import type { X509Certificate } from 'node:crypto';
import type { Selectable } from 'kysely';
import { type FeedAddress, licenseOfCertificate } from '../../bundles/index.ts';
import { sha256Hex } from '../../signing/index.ts';
import { type Actor, audit } from '../audit/audit.ts';
import type { Context, Tenant } from '../context.ts';
import { ofOwnLicense, ownedBy } from '../db/owned.ts';
import type { CertificateTable } from '../db/schema.ts';
import { serverError } from '../errors.ts';
import { activeLicense } from '../licenses/licenses.ts';
import { emit } from '../webhooks/emit.ts';
import { serviceAuthority } from './authority.ts';
import { clientCertificate } from './issue.ts';
import { requestedKey } from './request.ts';

/** A year: long enough for a site that is looked after now and then. */
const LONGEST_MS = 365 * 24 * 3600_000;

export interface CertificateView {
  readonly serial: string;
  readonly license: string;
  readonly issuedAt: string;
  readonly expiresAt: string;
  readonly revokedAt: string | null;
}

export interface IssuedCertificate extends CertificateView {
  /** PEM. */
  readonly certificate: string;
  /** PEM of the authority that signed it. */
  readonly authority: string;
  /** Where it is to be shown. */
  readonly feed: FeedAddress;
}

/**
 * Issues a certificate for a license: until the license ends, and for a year at most.
 *
 * @param request PKCS#10, PEM
 * @throws `request-invalid`, `license-refused` for a license that is not active, or over; `mtls-off` where it is of no use
 */
export async function issueCertificate(
  tenant: Tenant,
  licenseId: string,
  request: string,
  actor: Actor,
): Promise<IssuedCertificate> {
  if (tenant.feed.mtlsPort === undefined) throw serverError('mtls-off', 'This service has no port for certificates.');
  const publicKey = await requestedKey(request);
  const license = await activeLicense(tenant, licenseId);
  const now = tenant.now();
  const authority = await serviceAuthority(tenant);
  const ends = [now.getTime() + LONGEST_MS, authority.certificate.notAfter.getTime(), license.expires_at?.getTime()];
  const until = new Date(Math.min(...ends.filter(end => end !== undefined)));
  if (until <= now) throw serverError('license-refused', `License ${licenseId} is over.`);

  const certificate = await clientCertificate(authority, { license: licenseId, publicKey, now, until });
  const row = {
    serial: certificate.serialNumber,
    license_id: licenseId,
    fingerprint: sha256Hex(new Uint8Array(certificate.rawData)),
    issued_at: now,
    expires_at: certificate.notAfter,
    revoked_at: null,
  };
  await tenant.db.transaction().execute(async db => {
    await db.insertInto('certificates').values(row).execute();
    await audit(db, tenant, actor, 'certificate.issue', row.serial);
  });
  const pem = { certificate: certificate.toString('pem'), authority: authority.certificate.toString('pem') };
  return { ...view(row), ...pem, feed: tenant.feed };
}

/** Those of one license, newest first. @throws `not-found` */
export async function listCertificates(tenant: Tenant, licenseId: string): Promise<readonly CertificateView[]> {
  const own = tenant.db.selectFrom('licenses').select('id').where(ownedBy(tenant, 'licenses'));
  const license = await own.where('id', '=', licenseId).executeTakeFirst();
  if (!license) throw serverError('not-found', `There is no license ${licenseId}.`);
  const rows = await tenant.db
    .selectFrom('certificates')
    .selectAll()
    .where('license_id', '=', licenseId)
    .orderBy('issued_at', 'desc')
    .limit(LIST_LIMIT)
    .execute();
  return rows.map(view);
}

/**
 * Revokes a certificate: nothing is answered any more to who shows it, on connections that are open already too. Other
 * certificates of the license, and its key, go on. Repeating it changes nothing.
 *
 * @throws `not-found`
 */
export async function revokeCertificate(tenant: Tenant, serial: string, actor: Actor): Promise<CertificateView> {
  const now = tenant.now();
  return tenant.db.transaction().execute(async db => {
    const row = await db
      .updateTable('certificates')
      .set(({ fn, val }) => ({ revoked_at: fn.coalesce('revoked_at', val(now)) }))
      .where('serial', '=', serial)
      .where(ofOwnLicense(tenant, 'license_id'))
      .returningAll()
      .executeTakeFirst();
    if (!row) throw serverError('not-found', `There is no certificate ${serial}.`);
    await emit(db, tenant, { type: 'certificate.revoked', data: { serial, license: row.license_id } });
    await audit(db, tenant, actor, 'certificate.revoke', serial);
    return view(row);
  });
}

/** Of a certificate that this service has issued. */
export interface CertifiedLicense {
  readonly license: string;
  readonly organization: string;
}

/**
 * The license of a certificate that this service has issued, whether or not it is still good; undefined for any other.
 * The signature of the authority has been verified; that the certificate is on record keeps out what a stolen key has signed.
 */
export async function licenseOfIssued(
  { db }: Context,
  certificate: X509Certificate,
): Promise<CertifiedLicense | undefined> {
  const license = licenseOfCertificate(certificate);
  if (license === undefined) return undefined;
  return db
    .selectFrom('certificates')
    .innerJoin('licenses', 'licenses.id', 'certificates.license_id')
    .select(['licenses.id as license', 'licenses.organization'])
    .where('serial', '=', serialOf(certificate))
    .where('fingerprint', '=', sha256Hex(certificate.raw))
    .where('license_id', '=', license)
    .executeTakeFirst();
}

/** Whether a certificate opens anything now: neither revoked nor over, of a license that is active. */
export async function certificateOpens({ db, now }: Context, certificate: X509Certificate): Promise<boolean> {
  const row = await db
    .selectFrom('certificates')
    .innerJoin('licenses', 'licenses.id', 'certificates.license_id')
    .select('serial')
    .where('serial', '=', serialOf(certificate))
    .where('revoked_at', 'is', null)
    .where('certificates.expires_at', '>', now())
    .where('licenses.status', '=', 'active')
    .executeTakeFirst();
  return row !== undefined;
}

const LIST_LIMIT = 200;

function serialOf(certificate: X509Certificate): string {
  return certificate.serialNumber.toLowerCase();
}

function view(row: Selectable<CertificateTable>): CertificateView {
  return {
    serial: row.serial,
    license: row.license_id,
    issuedAt: row.issued_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
    revokedAt: row.revoked_at?.toISOString() ?? null,
  };
}
