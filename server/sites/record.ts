// Keeps what a site reports: the newest report whole, what is searched by in columns, what has changed in the history. A report that
// says nothing new moves the time at which the site was last seen, and is held against rollouts that began since, once a minute.
import type { Updateable } from 'kysely';
import { liveNodes } from '../../bundles/index.ts';
import { canonicalJson, type JsonValue } from '../../signing/index.ts';
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import type { SiteTable } from '../db/schema.ts';
import { judgeReport } from '../rollouts/budget.ts';
import { emit } from '../webhooks/emit.ts';
import { changesBetween, type Report, type SiteChange } from './changes.ts';
import { addToHistory } from './history.ts';
import { countNodes } from './live-nodes.ts';
import { ownSites, type SiteRow, withReports } from './search.ts';

/** Sites report about as often; one that does so all the time costs no more. */
const SEEN_EVERY_MS = 60_000;

/** `older`: a newer report, or this one, is known already; nothing has happened. */
export type Recorded = 'recorded' | 'unchanged' | 'older';

/** Keeps a verified report of this site. Safe to repeat, in any order. */
export async function recordReport(tenant: Tenant, site: SiteRow, report: Report): Promise<Recorded> {
  if (isOlder(site, report)) return 'older';
  if (isSame(site, report)) return see(tenant, site, report);
  return tenant.db.transaction().execute(db => recordChange(db, tenant, site.id, report));
}

/** As {@link recordReport}, inside the caller's transaction; only audit entries may follow it there. */
export async function recordChange(db: Database, tenant: Tenant, id: string, report: Report): Promise<Recorded> {
  const own = withReports(ownSites({ ...tenant, db })).where('id', '=', id);
  const site = await own.forUpdate('sites').executeTakeFirst();
  // It may have been removed, or have reported again, meanwhile.
  if (!site || isOlder(site, report)) return 'older';
  const changes = changesBetween((site.report as Report | null) ?? undefined, report);
  const now = tenant.now();
  await db
    .updateTable('sites')
    .set(columnsOf(site, report, now))
    .where('id', '=', id)
    .execute();
  // The proof was for the service, once.
  await keep(db, site, JSON.stringify({ ...report, claim: undefined }));
  await addToHistory(db, site, now, changes);
  for (const change of changes) await tell(db, tenant, site, change);
  const auditOverage = await countNodes(db, tenant, site.license_id, liveNodes(report) - site.live_nodes);
  await judgeReport({ ...tenant, db }, site.license_id, report);
  await auditOverage?.();
  return 'recorded';
}

async function keep(db: Database, { organization, id }: SiteRow, report: string): Promise<void> {
  const row = db.insertInto('site_reports').values({ organization, site_id: id, report });
  await row.onConflict(conflict => conflict.column('site_id').doUpdateSet({ report })).execute();
}

/** Only sealed reports have an order; plain ones cannot be replayed by anybody but the site. */
function isOlder({ report_sequence: known }: SiteRow, { sequence }: Report): boolean {
  return sequence !== undefined && sequence <= Number(known);
}

function isSame({ report }: SiteRow, next: Report): boolean {
  return report !== null && essence(report as Report).equals(essence(next));
}

/** What a report says, without what is different each time. */
function essence({ at: _at, sequence: _sequence, claim: _claim, progress, ...said }: Report): Buffer {
  const { etaMs: _eta, ...moved } = progress ?? {};
  return canonicalJson({ ...said, ...(progress ? { progress: moved } : {}) } as JsonValue);
}

/** `older` when a newer report has come meanwhile. */
async function see(tenant: Tenant, site: SiteRow, report: Report): Promise<Recorded> {
  const at = seenAt(site, report, tenant.now());
  if (at.getTime() - site.last_seen_at.getTime() < SEEN_EVERY_MS) return 'unchanged';
  const { sequence } = report;
  const change = { last_seen_at: at, ...(sequence === undefined ? {} : { report_sequence: sequence }) };
  return tenant.db.transaction().execute(async db => {
    const row = db.updateTable('sites').set(change).where('id', '=', site.id);
    const own = row.where('organization', '=', tenant.organization).where('report_sequence', '=', site.report_sequence);
    if ((await own.executeTakeFirstOrThrow()).numUpdatedRows === 0n) return 'older';
    // What it says is known; the rollout of it may have begun since.
    await judgeReport({ ...tenant, db }, site.license_id, report);
    return 'unchanged';
  });
}

function columnsOf(site: SiteRow, report: Report, now: Date): Updateable<SiteTable> {
  const { installed, health, rollover, nodes, agentVersion, via, sequence } = report;
  return {
    version: installed ?? null,
    health: health ?? 'unknown',
    state: rollover,
    node_count: Object.values(nodes).reduce((sum, count) => sum + count, 0),
    live_nodes: liveNodes(report),
    agent_version: agentVersion,
    via: via ?? 'connection',
    reported_at: now,
    last_seen_at: seenAt(site, report, now),
    ...(sequence === undefined ? {} : { report_sequence: sequence }),
  };
}

/** A receipt shows when it was written, as far as the site's clock can be believed: not in the future, and never backwards. */
function seenAt({ last_seen_at: known }: SiteRow, { via, at }: Report, now: Date): Date {
  if (via !== 'receipt') return now;
  return new Date(Math.max(known.getTime(), Math.min(now.getTime(), Date.parse(at))));
}

async function tell(
  db: Database,
  tenant: Tenant,
  { id, name, license_id }: SiteRow,
  change: SiteChange,
): Promise<void> {
  const site = { site: id, name, license: license_id };
  if (change.type === 'version-changed') {
    const { from = null, to } = change;
    await emit(db, tenant, { type: 'site.version-changed', data: { ...site, from, to } });
  }
  if (change.type === 'rollover-failed') {
    const { to: version = null, reason = null } = change;
    await emit(db, tenant, { type: 'site.rollover-failed', data: { ...site, version, reason } });
  }
}
