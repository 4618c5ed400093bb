// What whoever runs the service watches: queues, the database, how much there is, and when the timestamp was last renewed.
import { sql } from 'kysely';
import type { Context } from '../context.ts';
import { poolCounts } from '../db/database.ts';
import type { JobQueue } from '../jobs/queues.ts';
import { cached, gauge, type Metric, type Sample } from './metrics.ts';

/** Counting rows is work for the database. */
const COUNT_EVERY_MS = 30_000;

/** @param queues by name */
export function serviceMetrics(
  { db, now }: Context,
  queues: Readonly<Record<string, Pick<JobQueue<never>, 'counts'>>>,
): readonly Metric[] {
  const nowMs = () => now().getTime();
  const counted = (name: string, help: string, label: string, query: string) =>
    gauge(
      name,
      help,
      cached(COUNT_EVERY_MS, nowMs, async () => {
        const { rows } = await sql.raw<{ label: string; count: string }>(query).execute(db);
        return rows.map(row => ({ labels: { [label]: row.label }, value: Number(row.count) }));
      }),
    );
  const grouped = (table: string, column: string) =>
    `select ${column} as label, count(*) as count from ${table} group by ${column}`;
  return [
    gauge('rollover_queue_jobs', 'Jobs in each queue, by state.', () => queueDepths(queues)),
    gauge('rollover_database_connections', 'Connections to the database, and work that waits for one.', () => {
      const { open, idle, waiting } = poolCounts(db);
      return Object.entries({ open, idle, waiting }).map(([state, value]) => ({ labels: { state }, value }));
    }),
    gauge(
      'rollover_timestamp_renewed_seconds',
      'When the timestamp was last renewed, in seconds since 1970; of several organizations, the one longest ago.',
      async () => {
        const newest = await db
          .selectFrom('metadata')
          .distinctOn('organization')
          .select('published_at')
          .where('role', '=', 'timestamp')
          .orderBy('organization')
          .orderBy('version', 'desc')
          .execute();
        const times = newest.map(row => row.published_at.getTime() / 1000);
        return times.length > 0 ? [{ labels: {}, value: Math.min(...times) }] : [];
      },
    ),
    counted('rollover_releases', 'Releases, by state.', 'state', grouped('releases', 'state')),
    counted('rollover_licenses', 'Licenses, by status.', 'status', grouped('licenses', 'status')),
    counted(
      'rollover_sites',
      'Sites, by whether they were seen within a day.',
      'seen',
      `select case when last_seen_at > now() - interval '1 day' then 'today' else 'before' end as label, count(*) as count
       from sites group by 1`,
    ),
    counted(
      'rollover_webhook_deliveries',
      'Deliveries of webhooks that are kept, by state.',
      'state',
      grouped('webhook_deliveries', 'state'),
    ),
    gauge('process_resident_memory_bytes', 'Memory of this process.', () => [
      { labels: {}, value: process.memoryUsage.rss() },
    ]),
  ];
}

async function queueDepths(queues: Readonly<Record<string, Pick<JobQueue<never>, 'counts'>>>): Promise<Sample[]> {
  const depths = await Promise.all(
    Object.entries(queues).map(async ([queue, { counts }]) =>
      Object.entries(await counts()).map(([state, value]) => ({ labels: { queue, state }, value })),
    ),
  );
  return depths.flat();
}
