// What sites have made of a version that is rolled out to them, counted: the failure budget is judged with every change.
import type { SiteReport, SiteStatus } from '../../bundles/index.ts';
import type { Database } from '../db/database.ts';
import type { Outcome } from '../db/schema.ts';

/** Numbers of sites. */
export type Outcomes = Readonly<Record<Outcome, number>>;

const NONE: Outcomes = { succeeded: 0, failed: 0, pending: 0 };

/** What is looked at of a report. Plain ones do not say where a rollover goes: what is offered has to do for it. */
export type Heard = Pick<SiteReport, 'installed' | 'available' | 'rollover'> & Pick<Partial<SiteStatus>, 'progress'>;

/** The versions that a report may say something of. */
export function versionsIn({ installed, available, progress }: Heard): readonly string[] {
  return [installed, progress?.target ?? available].filter(version => version !== undefined);
}

/** What a report says of a version; undefined when nothing. */
export function outcomeOf(report: Heard, version: string): Outcome | undefined {
  if (report.installed === version) return 'succeeded';
  if ((report.progress?.target ?? report.available) !== version) return undefined;
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
