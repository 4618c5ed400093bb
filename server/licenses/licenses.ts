// Licenses: issued to a customer, bound to sites, revoked. The entitlement secret leaves the service once and is not kept.
import { randomBytes, randomUUID } from 'node:crypto';
import type { Selectable } from 'kysely';
import type { LicenseFile } from '../../bundles/index.ts';
import {
  base64url,
  ENTITLEMENT_SECRET_BYTES,
  entitlementPublicKey,
  keyIdOf,
  type License,
  pskOf,
  publicKeyOf,
  readOwnLicense,
  signLicense,
} from '../../signing/index.ts';
import { type Actor, audit } from '../audit/audit.ts';
import type { Context, Tenant } from '../context.ts';
import { ownedBy, requireProduct } from '../db/owned.ts';
import type { LicenseStatus, LicenseTable } from '../db/schema.ts';
import { serverError } from '../errors.ts';
import { isBefore, type Page, type PageRequest, page, readCursor } from '../http/paging.ts';
import { onlineKey } from '../secrets.ts';
import { publishedMetadata } from '../trust/repository.ts';
import { emit } from '../webhooks/emit.ts';

export interface LicenseOrder {
  readonly customer: string;
  readonly product: string;
  readonly channels: readonly string[];
  readonly nodes: number;
  readonly sites: number;
  readonly features: readonly string[];
  /** Absent for a perpetual license. */
  readonly expiresAt?: Date;
}

export interface LicenseView {
  readonly id: string;
  readonly customer: string;
  readonly product: string;
  readonly channels: readonly string[];
  readonly status: LicenseStatus;
  readonly nodes: number;
  readonly sites: number;
  readonly expiresAt: string | null;
  readonly createdAt: string;
}

/**
 * Issues a license. The file in the answer is the only copy of its entitlement secret.
 *
 * @throws `trust-missing`, `forbidden` for a product that the caller is not limited to
 */
export async function issueLicense(
  tenant: Tenant,
  order: LicenseOrder,
  actor: Actor,
): Promise<{ readonly id: string; readonly file: LicenseFile }> {
  requireProduct(tenant, order.product);
  const id = `lic-${randomUUID()}`;
  const now = tenant.now();
  const license: Omit<License, 'entitlement'> = {
    version: 1,
    id,
    customer: order.customer,
    product: order.product,
    channels: [...order.channels],
    limits: { nodes: order.nodes, sites: order.sites },
    features: [...order.features],
    issuedAt: now.toISOString(),
    notBefore: now.toISOString(),
    ...(order.expiresAt ? { expiresAt: order.expiresAt.toISOString() } : {}),
  };
  const { file, columns } = await newEntitlement(tenant, license);
  const row = {
    organization: tenant.organization,
    id,
    customer: order.customer,
    product: order.product,
    channels: [...order.channels],
    status: 'active' as const,
    ...columns,
    node_limit: order.nodes,
    site_limit: order.sites,
    expires_at: order.expiresAt ?? null,
    created_at: now,
  };
  await tenant.db.transaction().execute(async db => {
    await db.insertInto('licenses').values(row).execute();
    const { customer, product } = order;
    await emit(db, tenant, { type: 'license.issued', data: { license: id, customer, product } });
    await audit(db, tenant, actor, 'license.issue', id);
  });
  return { id, file };
}

/**
 * Gives a license a new entitlement secret: the old license file opens nothing more, the new one what the old one did. Wraps
 * are made anew when they are asked for; no byte of a bundle changes.
 *
 * @throws `not-found`, `license-refused` for a license that is not active
 */
export async function rekeyLicense(
  tenant: Tenant,
  id: string,
  actor: Actor,
): Promise<{ readonly id: string; readonly file: LicenseFile }> {
  const row = await activeLicense(tenant, id);
  const { entitlement: _old, ...license } = readOwnLicense(row.document).license;
  const { file, columns } = await newEntitlement(tenant, license);
  await tenant.db.transaction().execute(async db => {
    await db.updateTable('licenses').set(columns).where('id', '=', id).execute();
    await db.deleteFrom('wraps').where('license_id', '=', id).execute();
    await emit(db, tenant, { type: 'license.rekeyed', data: { license: id } });
    await audit(db, tenant, actor, 'license.rekey', id);
  });
  return { id, file };
}

/** A new secret for a license: the file that carries it, and what the service keeps of it. */
async function newEntitlement(tenant: Tenant, license: Omit<License, 'entitlement'>) {
  const trustAnchor = await publishedMetadata(tenant, 'root');
  if (!trustAnchor) throw serverError('trust-missing', 'This organization has no root of trust yet.');
  const secret = randomBytes(ENTITLEMENT_SECRET_BYTES);
  const publicKey = await entitlementPublicKey(secret);
  const issuer = await onlineKey(tenant, 'license-issuer');
  const document = await signLicense({ ...license, entitlement: { publicKey } }, issuer, keyIdOf(publicKeyOf(issuer)));
  const file: LicenseFile = {
    format: 'rollover-license-file/1',
    license: document,
    entitlementSecret: base64url(secret),
    feed: tenant.feed,
    trustAnchor: trustAnchor.toString('utf8'),
  };
  const sealed = tenant.vault.seal(pskPurpose(license.id), pskOf(secret));
  return { file, columns: { document, entitlement_public_key: publicKey, sealed_psk: sealed } };
}

/**
 * The document of an active license, under the issuer key in use: after a rotation it is signed again when it is asked for.
 *
 * @throws `not-found`, `license-refused`
 */
export async function licenseDocument(tenant: Tenant, id: string): Promise<string> {
  const row = await activeLicense(tenant, id);
  const issuer = await onlineKey(tenant, 'license-issuer');
  const keyId = keyIdOf(publicKeyOf(issuer));
  const known = readOwnLicense(row.document);
  if (known.keyId === keyId) return row.document;
  const document = await signLicense(known.license, issuer, keyId);
  const isUnchanged = tenant.db.updateTable('licenses').set({ document }).where('id', '=', id);
  await isUnchanged.where('document', '=', row.document).execute();
  return document;
}

/** Newest first. */
export async function listLicenses(tenant: Tenant, { limit, cursor }: PageRequest): Promise<Page<LicenseView>> {
  const after = readCursor(cursor);
  let query = tenant.db
    .selectFrom('licenses')
    .selectAll()
    .where(ownedBy(tenant, 'licenses'))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (after) query = query.where(isBefore('created_at', after));
  return page(await query.execute(), limit, view, row => ({ at: row.created_at.toISOString(), id: row.id }));
}

/** @throws `not-found` */
export async function licenseById(tenant: Tenant, id: string): Promise<LicenseView> {
  const own = tenant.db.selectFrom('licenses').selectAll().where(ownedBy(tenant, 'licenses'));
  const row = await own.where('id', '=', id).executeTakeFirst();
  if (!row) throw noLicense(id);
  return view(row);
}

/**
 * Revokes a license: it opens no new connection and gets no new wrap. What runs at the customer's keeps running.
 *
 * @throws `not-found`
 */
export async function revokeLicense(tenant: Tenant, id: string, actor: Actor): Promise<void> {
  await tenant.db.transaction().execute(async db => {
    const own = db.updateTable('licenses').set({ status: 'revoked' }).where(ownedBy(tenant, 'licenses'));
    const change = own.where('id', '=', id);
    const { numUpdatedRows } = await change.executeTakeFirstOrThrow();
    if (numUpdatedRows === 0n) throw noLicense(id);
    await emit(db, tenant, { type: 'license.revoked', data: { license: id } });
    await audit(db, tenant, actor, 'license.revoke', id);
  });
}

/**
 * An active license by its id.
 *
 * @throws `not-found`, `license-refused` for one that is not active
 */
export async function activeLicense(tenant: Tenant, id: string): Promise<Selectable<LicenseTable>> {
  const own = tenant.db.selectFrom('licenses').selectAll().where(ownedBy(tenant, 'licenses'));
  const row = await own.where('id', '=', id).executeTakeFirst();
  if (!row) throw noLicense(id);
  if (row.status !== 'active') throw serverError('license-refused', `License ${id} is ${row.status}.`);
  return row;
}

function noLicense(id: string): Error {
  return serverError('not-found', `There is no license ${id}.`);
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

/** The pre-shared key of an active license of the tenant's own. @throws `not-found`, `license-refused` */
export async function pskOfOwnLicense(tenant: Tenant, id: string): Promise<Buffer> {
  const { sealed_psk: sealed } = await activeLicense(tenant, id);
  return tenant.vault.open(pskPurpose(id), sealed);
}

function view(row: Selectable<LicenseTable>): LicenseView {
  return {
    id: row.id,
    customer: row.customer,
    product: row.product,
    channels: row.channels,
    status: row.status,
    nodes: row.node_limit,
    sites: row.site_limit,
    expiresAt: row.expires_at?.toISOString() ?? null,
    createdAt: row.created_at.toISOString(),
  };
}

function pskPurpose(id: string): string {
  return `psk:${id}`;
}
