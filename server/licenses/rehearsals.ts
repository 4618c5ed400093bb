// Rehearsals: somebody of the vendor attests that an upgrade was tried out for a license. Where the upgrade graph demands one, the
// step is open to the sites of the license once the service's word names it.
import { randomUUID } from 'node:crypto';
import type { Selectable } from 'kysely';
import { compareVersions } from '../../bundles/index.ts';
import { type Actor, audit } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import type { RehearsalTable } from '../db/schema.ts';
import { serverError } from '../errors.ts';
import { isBefore, type Page, type PageRequest, page, readCursor } from '../http/paging.ts';
import { ownLicense } from './licenses.ts';

export interface Rehearsal {
  readonly from: string;
  readonly to: string;
  /** How it was tried out, and where that is written down. */
  readonly evidence: string;
}

export interface RehearsalView extends Rehearsal {
  readonly id: string;
  readonly actor: string;
  readonly at: string;
}

/** As many as the service's word to a site may name. */
const MOST_NAMED = 64;

/** @throws `not-found`, `request-invalid` for a step that does not go forward */
export async function attestRehearsal(
  tenant: Tenant,
  license: string,
  { from, to, evidence }: Rehearsal,
  actor: Actor,
): Promise<RehearsalView> {
  await ownLicense(tenant, license);
  if (compareVersions(from, to) >= 0) throw serverError('request-invalid', `${to} is not newer than ${from}.`);
  const row = {
    id: randomUUID(),
    organization: tenant.organization,
    license_id: license,
    from_version: from,
    to_version: to,
    evidence,
    actor,
    created_at: tenant.now(),
  };
  await tenant.db.transaction().execute(async db => {
    await db.insertInto('rehearsals').values(row).execute();
    await audit(db, tenant, actor, 'license.rehearsal', license, { from, to });
  });
  return view(row);
}

/** Newest first. @throws `not-found` */
export async function listRehearsals(
  tenant: Tenant,
  license: string,
  { limit, cursor }: PageRequest,
): Promise<Page<RehearsalView>> {
  await ownLicense(tenant, license);
  const after = readCursor(cursor);
  let query = tenant.db
    .selectFrom('rehearsals')
    .selectAll()
    .where('organization', '=', tenant.organization)
    .where('license_id', '=', license)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (after) query = query.where(isBefore('created_at', after));
  return page(await query.execute(), limit, view, row => ({ at: row.created_at.toISOString(), id: row.id }));
}

/** The steps that were rehearsed for a license: each once, the newest first, as many as sites can be told. */
export async function rehearsedSteps(
  { db, organization }: Tenant,
  license: string,
): Promise<readonly { readonly from: string; readonly to: string }[]> {
  const rows = await db
    .selectFrom('rehearsals')
    .select(['from_version as from', 'to_version as to'])
    .where('organization', '=', organization)
    .where('license_id', '=', license)
    .groupBy(['from_version', 'to_version'])
    .orderBy(({ fn }) => fn.max('created_at'), 'desc')
    .limit(MOST_NAMED)
    .execute();
  return rows.map(({ from, to }) => ({ from, to }));
}

function view(row: Selectable<RehearsalTable>): RehearsalView {
  const { id, from_version: from, to_version: to, evidence, actor, created_at } = row;
  return { id, from, to, evidence, actor, at: created_at.toISOString() };
}
