// The lists of the license desk: what is looked for, newest first, by indexes (`db/license-tables.ts`); and what was done to a license.
import { sql } from 'kysely';
import { listEntries } from '../audit/entries.ts';
import type { Tenant } from '../context.ts';
import { ownedBy } from '../db/owned.ts';
import type { LicenseStatus } from '../db/schema.ts';
import { isBefore, type Page, type PageRequest, page, readCursor } from '../http/paging.ts';
import { ownLicense } from './licenses.ts';
import { type LicenseView, viewOf, viewsOf } from './view.ts';

export interface LicenseFilter extends PageRequest {
  /** The whole name, in upper or lower case. */
  readonly customer?: string | undefined;
  readonly product?: string | undefined;
  readonly status?: LicenseStatus | undefined;
  readonly expiresBefore?: Date | undefined;
}

/** Newest first; those that end before a day, the last to end first. @throws `request-invalid` */
export async function listLicenses(tenant: Tenant, filter: LicenseFilter): Promise<Page<LicenseView>> {
  const { limit, cursor, customer, product, status, expiresBefore } = filter;
  const order = expiresBefore ? 'expires_at' : 'created_at';
  const after = readCursor(cursor);
  let query = tenant.db.selectFrom('licenses').selectAll().where(ownedBy(tenant, 'licenses'));
  if (customer !== undefined) query = query.where(sql<boolean>`lower(customer) = lower(${customer})`);
  if (product !== undefined) query = query.where('product', '=', product);
  if (status !== undefined) query = query.where('status', '=', status);
  if (expiresBefore) query = query.where('expires_at', '<', expiresBefore);
  if (after) query = query.where(isBefore(order, after));
  const rows = await query
    .orderBy(order, 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute();
  const shown = await viewsOf(tenant, rows);
  const at = (view: LicenseView) => (expiresBefore ? (view.expiresAt as string) : view.createdAt);
  return page(
    shown,
    limit,
    view => view,
    view => ({ at: at(view), id: view.id }),
  );
}

/** @throws `not-found` */
export async function licenseById(tenant: Tenant, id: string): Promise<LicenseView> {
  return viewOf(tenant, await ownLicense(tenant, id));
}

/** An entry of the audit log, without from where it was done: that is for auditors. */
export interface HistoryEntry {
  readonly number: number;
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What was done to a license, newest first. @throws `not-found`, `request-invalid` */
export async function licenseHistory(tenant: Tenant, id: string, request: PageRequest): Promise<Page<HistoryEntry>> {
  await ownLicense(tenant, id);
  const { items, next } = await listEntries(tenant, { ...request, subject: id });
  const entries = items.map(({ number, at, actor, action, details }) => ({ number, at, actor, action, details }));
  return { items: entries, next };
}
