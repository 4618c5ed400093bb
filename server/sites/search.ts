// Finding sites in a fleet. In the order of their names, which never change: the order of when they were last seen does all the
// time, and who turned its pages would miss most of a large fleet.
import type { Selectable, SelectQueryBuilder } from 'kysely';
import { z } from 'zod';
import { HEALTHS } from '../../bundles/index.ts';
import type { Tenant } from '../context.ts';
import { ofOwnLicense } from '../db/owned.ts';
import type { SiteTable, Tables } from '../db/schema.ts';
import { serverError } from '../errors.ts';
import { isAfterName, type Page, type PageRequest, page, readCursor } from '../http/paging.ts';

export const SITE_HEALTHS = [...HEALTHS, 'unknown'] as const;
export const SITE_STATES = ['none', 'running', 'blocked', 'completed'] as const;

/** What sites can be asked for; all of it has to hold. */
export const siteFilters = {
  license: z.string().max(128).optional(),
  version: z.string().max(128).optional().describe('what is installed'),
  health: z.enum(SITE_HEALTHS).optional(),
  state: z.enum(SITE_STATES).optional().describe('of its rollover'),
  q: z.string().min(1).max(128).optional().describe('a part of its name or id'),
  seenBefore: z.iso.datetime().optional().describe('not seen since then'),
};

export type SiteFilters = z.output<z.ZodObject<typeof siteFilters>>;

export interface SiteView {
  readonly id: string;
  readonly license: string;
  readonly name: string;
  readonly activatedAt: string;
  readonly lastSeenAt: string;
  readonly version: string | null;
  readonly health: string;
  readonly state: string;
  readonly nodes: number;
  readonly agentVersion: string | null;
  /** How its last report came; null before the first. */
  readonly via: string | null;
  readonly reportedAt: string | null;
  /** Activated when the license had no room for it, which its policy allows and warns of. */
  readonly beyondLimit: boolean;
  readonly report: unknown;
}

/** The sites that everything asked for holds of. */
export async function findSites(
  tenant: Tenant,
  { limit, cursor, ...filters }: PageRequest & SiteFilters,
): Promise<Page<SiteView>> {
  const after = readCursor(cursor);
  let query = withReports(matching(ownSites(tenant), filters))
    .orderBy('name')
    .orderBy('id')
    .limit(limit + 1);
  if (after) query = query.where(isAfterName(after));
  return page(await query.execute(), limit, view, row => ({ at: row.name, id: row.id }));
}

/** What a site is found by with `q`. The database may know lower case of ASCII only. */
export function searchText(id: string, name: string): string {
  return `${name.toLowerCase()} ${id}`;
}

/** @throws `not-found` */
export async function siteById(tenant: Tenant, id: string): Promise<SiteView> {
  return view(await requireSite(tenant, id));
}

/** The row of a site that the caller may see. @throws `not-found` */
export async function requireSite(tenant: Tenant, id: string): Promise<SiteRow> {
  const row = await withReports(ownSites(tenant)).where('id', '=', id).executeTakeFirst();
  if (!row) throw serverError('not-found', `There is no site ${id}.`);
  return row;
}

/** A site with its last report; null before the first. */
export type SiteRow = Selectable<SiteTable> & { readonly report: unknown };

type Sites = SelectQueryBuilder<Tables, 'sites', unknown>;

export function withReports(sites: Sites) {
  const joined = sites.leftJoin('site_reports', 'site_reports.site_id', 'sites.id');
  return joined.selectAll('sites').select('site_reports.report');
}

/** The organization stands in the index; the condition on licenses is left out where it says no more than that. */
export function ownSites(tenant: Tenant): Sites {
  const own = tenant.db.selectFrom('sites').where('sites.organization', '=', tenant.organization);
  return tenant.products ? own.where(ofOwnLicense(tenant, 'license_id')) : own;
}

function matching(sites: Sites, { license, version, health, state, q, seenBefore }: SiteFilters): Sites {
  let query = sites;
  if (license !== undefined) query = query.where('license_id', '=', license);
  if (version !== undefined) query = query.where('version', '=', version);
  if (health !== undefined) query = query.where('health', '=', health);
  if (state !== undefined) query = query.where('state', '=', state);
  if (q !== undefined) query = query.where('search', 'like', `%${literal(q.toLowerCase())}%`);
  if (seenBefore !== undefined) query = query.where('last_seen_at', '<', new Date(seenBefore));
  return query;
}

/** A text in a pattern of `like`, as itself. */
function literal(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}

function view(row: SiteRow): SiteView {
  return {
    id: row.id,
    license: row.license_id,
    name: row.name,
    activatedAt: row.activated_at.toISOString(),
    lastSeenAt: row.last_seen_at.toISOString(),
    version: row.version,
    health: row.health,
    state: row.state,
    nodes: row.node_count,
    agentVersion: row.agent_version,
    via: row.via,
    reportedAt: row.reported_at?.toISOString() ?? null,
    beyondLimit: row.beyond_limit,
    report: row.report,
  };
}
