// What sites have made of a version that is rolled out to them, counted: the failure budget is judged with every change.
import type { SiteReport } from '../../bundles/index.ts';
import type { Database } from '../db/database.ts';
import type { Outcome } from '../db/schema.ts';

/** Numbers of sites. */
export type Outcomes = Readonly<Record<Outcome, number>>;

const NONE: Outcomes = { succeeded: 0, failed: 0, pending: 0 };

/** What a report says of a version; undefined when nothing. */
export function outcomeOf(report: Pick<SiteReport, 'installed' | 'available' | 'rollover'>, version: string) {
  if (report.installed === version) return 'succeeded';
  if (report.available !== version) return undefined;
  if (report.rollover === 'blocked') return 'failed';
  return report.rollover === 'running' ? 'pending' : undefined;
}

/** Of each of these rollouts, by its id. */
export async function countOutcomes(db: Database, rollouts: readonly string[]): Promise<(id: string) => Outcomes> {
  if (rollouts.length === 0) return () => NONE;
  const rows = await db
    .selectFrom('rollout_outcomes')
    .select(['rollout_id', 'outcome'])
    .select(({ fn }) => fn.countAll<string>().as('count'))
    .where('rollout_id', 'in', rollouts)
    .groupBy(['rollout_id', 'outcome'])
    .execute();
  const counted = Map.groupBy(rows, row => row.rollout_id);
  return id => ({
    ...NONE,
    ...Object.fromEntries((counted.get(id) ?? []).map(({ outcome, count }) => [outcome, Number(count)])),
  });
}
