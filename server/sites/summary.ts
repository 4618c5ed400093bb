// The fleet in one page: which versions run where, how healthy, which rollovers are under way, who has fallen silent.
import { sql } from 'kysely';
import type { Tenant } from '../context.ts';
import { ownSites } from './search.ts';

/** A site reports every minute; after a day it is gone, or cut off. */
export const SILENT_AFTER_MS = 24 * 3600_000;
/** The most used; what sites say of themselves must not make the page endless. */
const MOST_VERSIONS = 50;

export interface FleetSummary {
  readonly sites: number;
  readonly nodes: number;
  /** Most used first; null: nothing known to be installed. */
  readonly versions: readonly { readonly version: string | null; readonly sites: number; readonly nodes: number }[];
  /** Sites with other versions than those. */
  readonly others: number;
  readonly health: Readonly<Record<string, number>>;
  /** Sites by the state of their rollover; `running` are under way. */
  readonly rollovers: Readonly<Record<string, number>>;
  /** Connected sites that were not seen for a day. */
  readonly silent: number;
}

interface Group {
  readonly version: string | null;
  readonly health: string;
  readonly state: string;
  readonly sites: number;
  readonly nodes: number;
  readonly silent: number;
}

/** What the caller's sites are like, counted in one pass. */
export async function fleetSummary(tenant: Tenant): Promise<FleetSummary> {
  const since = new Date(tenant.now().getTime() - SILENT_AFTER_MS);
  const groups: readonly Group[] = await ownSites(tenant)
    .select(['version', 'health', 'state'])
    .select(sql<number>`count(*)::integer`.as('sites'))
    .select(sql<number>`sum(node_count)::integer`.as('nodes'))
    .select(
      sql<number>`(count(*) filter (where last_seen_at < ${since} and via is distinct from 'receipt'))::integer`.as(
        'silent',
      ),
    )
    .groupBy(['version', 'health', 'state'])
    .execute();
  const versions = [...Map.groupBy(groups, group => group.version)]
    .map(([version, of]) => ({ version, sites: sum(of, 'sites'), nodes: sum(of, 'nodes') }))
    .toSorted((a, b) => b.sites - a.sites);
  return {
    sites: sum(groups, 'sites'),
    nodes: sum(groups, 'nodes'),
    versions: versions.slice(0, MOST_VERSIONS),
    others: sum(versions.slice(MOST_VERSIONS), 'sites'),
    health: counts(groups, 'health'),
    rollovers: counts(groups, 'state'),
    silent: sum(groups, 'silent'),
  };
}

function sum<K extends string>(items: readonly Readonly<Record<K, number>>[], key: K): number {
  return items.reduce((total, item) => total + item[key], 0);
}

function counts(groups: readonly Group[], by: 'health' | 'state'): Record<string, number> {
  return Object.fromEntries([...Map.groupBy(groups, group => group[by])].map(([key, of]) => [key, sum(of, 'sites')]));
}
