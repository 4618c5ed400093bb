// Channels as they follow from what is published: there is no list of them to keep.
import { sql } from 'kysely';
import type { Tenant } from '../context.ts';
import { ownedBy } from '../db/owned.ts';

export interface ChannelView {
  readonly product: string;
  readonly channel: string;
  /** The last that was published and not yanked; null when all were. */
  readonly newest: {
    readonly release: string;
    readonly version: string;
    readonly counter: number;
    readonly publishedAt: string | null;
  } | null;
  readonly releases: number;
  /** Versions, the first published first. */
  readonly yanked: readonly string[];
}

/** By product and name. */
export async function listChannels(tenant: Tenant, product: string | undefined): Promise<readonly ChannelView[]> {
  let published = tenant.db
    .selectFrom('releases')
    .where(ownedBy(tenant, 'releases'))
    .where('state', '=', 'published')
    .orderBy('product')
    .orderBy('channel');
  if (product !== undefined) published = published.where('product', '=', product);
  const counts = await published
    .select([
      'product',
      'channel',
      sql<string>`count(*)`.as('releases'),
      sql<string[]>`coalesce(array_agg(version order by counter) filter (where yanked_at is not null), '{}')`.as(
        'yanked',
      ),
    ])
    .groupBy(['product', 'channel'])
    .execute();
  const newest = await published
    .distinctOn(['product', 'channel'])
    .select(['product', 'channel', 'id', 'version', 'counter', 'published_at'])
    .where('yanked_at', 'is', null)
    .orderBy('counter', 'desc')
    .execute();
  const byName = new Map(newest.map(row => [`${row.product}/${row.channel}`, row]));
  return counts.map(({ product, channel, releases, yanked }) => {
    const last = byName.get(`${product}/${channel}`);
    return {
      product,
      channel,
      newest: last
        ? {
            release: last.id,
            version: last.version,
            counter: last.counter,
            publishedAt: last.published_at?.toISOString() ?? null,
          }
        : null,
      releases: Number(releases),
      yanked,
    };
  });
}
