// Licenses: issued to a customer, found by their id. What happens to them afterwards is in `lifecycle.ts`.
import { randomUUID } from 'node:crypto';
import type { Selectable } from 'kysely';
import type { LicenseFile } from '../../bundles/index.ts';
import type { Expiry, Overage } from '../../signing/index.ts';
import { type Actor, audit } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import { ownedBy, requireProduct } from '../db/owned.ts';
import type { LicenseTable } from '../db/schema.ts';
import { serverError } from '../errors.ts';
import { emit } from '../webhooks/emit.ts';
import { currentDocument, signedDocument } from './document.ts';
import { licenseFileOf, newEntitlement } from './entitlement.ts';

export type LicenseRow = Selectable<LicenseTable>;

/** What may be changed of a license later on. */
export interface LicenseScope {
  readonly channels: readonly string[];
  readonly nodes: number;
  readonly sites: number;
  readonly features: readonly string[];
  readonly overage: Overage;
  /** Null: what was published while it was valid stays open to it. */
  readonly expiry: Expiry | null;
  /** Whether its sites share its nodes. */
  readonly floating: boolean;
}

export interface LicenseOrder extends LicenseScope {
  readonly customer: string;
  readonly product: string;
  /** Null for a perpetual license. */
  readonly expiresAt: Date | null;
  readonly trial: boolean;
}

/** A license with the file for its customer, which is the only copy of its entitlement secret. */
export interface IssuedLicense {
  readonly id: string;
  readonly file: LicenseFile;
}

/**
 * Issues a license.
 *
 * @throws `trust-missing`, `request-invalid` for a trial without an end, `forbidden` for a product that the caller is not limited to
 */
export async function issueLicense(tenant: Tenant, order: LicenseOrder, actor: Actor): Promise<IssuedLicense> {
  const { customer, product, trial, expiresAt } = order;
  requireProduct(tenant, product);
  if (trial && expiresAt === null) throw serverError('request-invalid', 'A trial has an end: give expiresAt.');
  const id = `lic-${randomUUID()}`;
  const { secret, columns } = await newEntitlement(tenant, id);
  const terms = {
    id,
    customer,
    product,
    trial,
    expires_at: expiresAt,
    created_at: tenant.now(),
    ...scopeColumns(order),
    ...columns,
  };
  const document = await signedDocument(tenant, terms);
  const file = await licenseFileOf(tenant, document, secret);
  const { organization } = tenant;
  await tenant.db.transaction().execute(async db => {
    const row = { organization, status: 'active' as const, document, suspended_reason: null, ...terms };
    await db.insertInto('licenses').values(row).execute();
    await emit(db, tenant, { type: 'license.issued', data: { license: id, customer, product } });
    await audit(db, tenant, actor, 'license.issue', id);
  });
  return { id, file };
}

/** The columns that hold a scope. */
export function scopeColumns({ channels, nodes, sites, features, overage, expiry, floating }: LicenseScope) {
  return {
    channels: [...channels],
    node_limit: nodes,
    site_limit: sites,
    features: [...features],
    overage,
    expiry: expiry?.strategy ?? ('keep' as const),
    grace_days: expiry?.strategy === 'grace' ? expiry.days : 0,
    floating,
  };
}

/** The document of an active license. @throws `not-found`, `license-refused` */
export async function licenseDocument(tenant: Tenant, id: string): Promise<string> {
  const { document } = await activeLicense(tenant, id);
  return currentDocument(tenant, id, document);
}

/**
 * An active license by its id.
 *
 * @throws `not-found`, `license-refused` for one that is not active
 */
export async function activeLicense(tenant: Tenant, id: string): Promise<LicenseRow> {
  const row = await ownLicense(tenant, id);
  if (row.status !== 'active') throw serverError('license-refused', `License ${id} is ${row.status}.`);
  return row;
}

/** @throws `not-found` */
export async function ownLicense(tenant: Tenant, id: string): Promise<LicenseRow> {
  const own = tenant.db.selectFrom('licenses').selectAll().where(ownedBy(tenant, 'licenses'));
  return found(await own.where('id', '=', id).executeTakeFirst(), id);
}

/** As `ownLicense`, kept from others until the transaction ends. */
export async function lockedLicense(db: Database, tenant: Tenant, id: string): Promise<LicenseRow> {
  const own = db.selectFrom('licenses').selectAll().where(ownedBy(tenant, 'licenses'));
  return found(await own.where('id', '=', id).forUpdate().executeTakeFirst(), id);
}

function found(row: LicenseRow | undefined, id: string): LicenseRow {
  if (row) return row;
  throw serverError('not-found', `There is no license ${id}.`);
}
