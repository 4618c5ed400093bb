// What happens to a license after it was issued. Each deed locks it, obeys the table of statuses, and writes the change, the document
// that says it, the event and the audit entry at once. Nothing here reaches a cluster that runs.
import type { Updateable } from 'kysely';
import { type Actor, audit } from '../audit/audit.ts';
import type { Details } from '../audit/chain.ts';
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import type { LicenseTable } from '../db/schema.ts';
import { serverError } from '../errors.ts';
import { requireRevision } from '../http/revision.ts';
import { emit } from '../webhooks/emit.ts';
import type { WebhookEvent } from '../webhooks/events.ts';
import { expiryOf, signedDocument } from './document.ts';
import { licenseFileOf, newEntitlement } from './entitlement.ts';
import { type IssuedLicense, type LicenseRow, type LicenseScope, lockedLicense, scopeColumns } from './licenses.ts';
import { type LicenseDeed, statusAfter } from './status.ts';
import { type LicenseView, viewOf } from './view.ts';

/**
 * Gives a license a new end, or none; a trial becomes an ordinary license by it.
 *
 * @throws `not-found`, `license-state`, `request-invalid` for an end that is over
 */
export async function renewLicense(
  tenant: Tenant,
  id: string,
  expiresAt: Date | null,
  actor: Actor,
): Promise<LicenseView> {
  if (expiresAt !== null && expiresAt <= tenant.now()) {
    throw serverError('request-invalid', 'expiresAt: that time is over.');
  }
  const until = expiresAt?.toISOString() ?? null;
  const row = await act(tenant, id, 'renew', actor, async ({ trial, expires_at: before }) => ({
    columns: { expires_at: expiresAt, trial: false },
    isSaid: true,
    event: { type: 'license.renewed', data: { license: id, expiresAt: until } },
    details: { from: before?.toISOString() ?? null, to: until, trial },
  }));
  return viewOf(tenant, row);
}

/** No connection, wrap or activation until it is resumed. @throws `not-found`, `license-state` */
export async function suspendLicense(tenant: Tenant, id: string, reason: string, actor: Actor): Promise<LicenseView> {
  const row = await act(tenant, id, 'suspend', actor, async () => ({
    columns: { suspended_reason: reason },
    event: { type: 'license.suspended', data: { license: id, reason } },
    details: { reason },
  }));
  return viewOf(tenant, row);
}

/** @throws `not-found`, `license-state` */
export async function resumeLicense(tenant: Tenant, id: string, actor: Actor): Promise<LicenseView> {
  const row = await act(tenant, id, 'resume', actor, async () => ({
    columns: { suspended_reason: null },
    event: { type: 'license.resumed', data: { license: id } },
  }));
  return viewOf(tenant, row);
}

/**
 * Makes a license another customer's. Its file stays good: rekey it, too, when the customer of before is not to use it any more.
 *
 * @param releaseSites whether its sites are forgotten, so that their seats are free
 * @throws `not-found`, `license-state`
 */
export async function transferLicense(
  tenant: Tenant,
  id: string,
  { customer, releaseSites }: { readonly customer: string; readonly releaseSites: boolean },
  actor: Actor,
): Promise<LicenseView> {
  const row = await act(tenant, id, 'transfer', actor, async ({ customer: from }, db) => {
    const sites = releaseSites ? await forgetSites(db, tenant, id) : 0;
    return {
      columns: { customer },
      isSaid: true,
      event: { type: 'license.transferred', data: { license: id, from, customer, sites } },
      details: { from, to: customer, sites },
    };
  });
  return viewOf(tenant, row);
}

/**
 * Changes what a license covers, from now on. Fewer nodes or sites than there are harm none of them.
 *
 * @param seen the revision that the caller has seen
 * @throws `not-found`, `license-state`, `precondition-failed`
 */
export async function changeLicense(
  tenant: Tenant,
  id: string,
  change: Partial<LicenseScope>,
  seen: number | undefined,
  actor: Actor,
): Promise<LicenseView> {
  const row = await act(tenant, id, 'change', actor, async row => {
    requireRevision(row.revision, seen);
    return {
      columns: scopeColumns({ ...scopeOf(row), ...change }),
      isSaid: true,
      event: { type: 'license.changed', data: { license: id, changed: Object.keys(change).sort() } },
      details: detailsOf(change),
    };
  });
  return viewOf(tenant, row);
}

/**
 * Gives a license a new entitlement secret: the old license file opens nothing more, the new one what the old one did. Wraps
 * are made anew when they are asked for; no byte of a bundle changes.
 *
 * @throws `not-found`, `license-state`, `trust-missing`
 */
export async function rekeyLicense(tenant: Tenant, id: string, actor: Actor): Promise<IssuedLicense> {
  const { secret, columns } = await newEntitlement(tenant, id);
  const row = await act(tenant, id, 'rekey', actor, async (_row, db) => {
    await db.deleteFrom('wraps').where('license_id', '=', id).execute();
    return { columns, isSaid: true, event: { type: 'license.rekeyed', data: { license: id } } };
  });
  return { id, file: await licenseFileOf(tenant, row.document, secret) };
}

/**
 * Revokes a license for good: it opens no new connection and gets no new wrap. What runs at the customer's keeps running.
 *
 * @throws `not-found`
 */
export async function revokeLicense(tenant: Tenant, id: string, actor: Actor): Promise<void> {
  await act(tenant, id, 'revoke', actor, async () => ({
    columns: { suspended_reason: null },
    event: { type: 'license.revoked', data: { license: id } },
  }));
}

/** What a deed does, once it is known to be allowed. */
interface Change {
  readonly columns: Updateable<LicenseTable>;
  /** Whether the license document has to say it. */
  readonly isSaid?: boolean;
  readonly event: WebhookEvent;
  readonly details?: Details;
}

async function act(
  tenant: Tenant,
  id: string,
  deed: LicenseDeed,
  actor: Actor,
  change: (row: LicenseRow, db: Database) => Promise<Change>,
): Promise<LicenseRow> {
  return tenant.db.transaction().execute(async db => {
    const before = await lockedLicense(db, tenant, id);
    const status = statusAfter(id, before.status, deed);
    const { columns, isSaid = false, event, details } = await change(before, db);
    const changed = { ...columns, status, revision: before.revision + 1 };
    const next = { ...before, ...changed } as LicenseRow;
    const document = isSaid ? await signedDocument({ ...tenant, db }, next, before.document) : before.document;
    await db
      .updateTable('licenses')
      .set({ ...changed, document })
      .where('id', '=', id)
      .execute();
    await emit(db, tenant, event);
    await audit(db, tenant, actor, `license.${deed}`, id, details);
    return { ...next, document };
  });
}

async function forgetSites(db: Database, tenant: Tenant, id: string): Promise<number> {
  const gone = await db.deleteFrom('sites').where('license_id', '=', id).returning('id').execute();
  for (const { id: site } of gone) await emit(db, tenant, { type: 'site.removed', data: { site } });
  return gone.length;
}

/** What was changed, in words that fit into the audit log. */
function detailsOf({ expiry, ...change }: Partial<LicenseScope>): Details {
  if (expiry === undefined) return change;
  return {
    ...change,
    expiry: expiry?.strategy === 'grace' ? `grace of ${expiry.days} days` : (expiry?.strategy ?? 'keep'),
  };
}

function scopeOf(row: LicenseRow): LicenseScope {
  const { channels, node_limit: nodes, site_limit: sites, features, overage, floating } = row;
  return { channels, nodes, sites, features, overage, floating, expiry: expiryOf(row) ?? null };
}
