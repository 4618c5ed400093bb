// The history of a site: what has changed there, never that nothing has. The newest fifty entries are kept.
import { type Selectable, sql } from 'kysely';
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import type { SiteEventType, SiteTable } from '../db/schema.ts';
import { type Page, type PageRequest, page, readCursor } from '../http/paging.ts';
import type { SiteChange } from './changes.ts';
import { requireSite } from './search.ts';

/** A year of monthly releases, with what happens between them. */
const MOST_EVENTS = 50;

export interface SiteEvent {
  readonly at: string;
  readonly type: SiteEventType;
  /** What the type says: `from`, `to`, `reason`, `problem`. */
  readonly details: unknown;
}

/** Adds changes to the history of a site, and takes away what is too old. */
export async function addToHistory(
  db: Database,
  { organization, id: site }: Pick<Selectable<SiteTable>, 'organization' | 'id'>,
  at: Date,
  changes: readonly SiteChange[],
): Promise<void> {
  if (changes.length === 0) return;
  const of = { organization, site_id: site, at };
  const rows = changes.map(({ type, ...details }) => ({ ...of, type, details: JSON.stringify(details) }));
  await db.insertInto('site_events').values(rows).execute();
  await sql`delete from site_events where site_id = ${site} and id <= (
    select id from site_events where site_id = ${site} order by id desc offset ${MOST_EVENTS} limit 1)`.execute(db);
}

/** Newest first. @throws `not-found` */
export async function siteEvents(
  tenant: Tenant,
  site: string,
  { limit, cursor }: PageRequest,
): Promise<Page<SiteEvent>> {
  await requireSite(tenant, site);
  const after = readCursor(cursor);
  let query = tenant.db
    .selectFrom('site_events')
    .select(['id', 'at', 'type', 'details'])
    .where('organization', '=', tenant.organization)
    .where('site_id', '=', site)
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (after) query = query.where('id', '<', numberOf(after.id));
  const view = ({ at, type, details }: { at: Date; type: SiteEventType; details: unknown }) => ({
    at: at.toISOString(),
    type,
    details,
  });
  return page(await query.execute(), limit, view, ({ id, at }) => ({ id, at: at.toISOString() }));
}

/** A cursor of another list names nothing here. */
function numberOf(id: string): string {
  return /^\d{1,18}$/.test(id) ? id : '0';
}
