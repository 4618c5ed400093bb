// Which releases the service names to the sites of a license: those of its channels, without what was yanked, paused or halted. When
// they are too many for one document, the newest of each channel, and the required stops on the way there.
import { type RawBuilder, sql } from 'kysely';
import { parseDocument, releaseDocumentSchema, requiredStops } from '../../bundles/index.ts';
import { coveredUntilMs, type Install } from '../../signing/index.ts';
import type { Tenant } from '../context.ts';
import { ownedBy } from '../db/owned.ts';
import { publishedGraph } from '../graph/graph.ts';
import type { LicenseRow } from '../licenses/licenses.ts';
import { rowTerm } from '../licenses/term.ts';

/** As many as sites read in one document. */
const MOST_INSTALLS = 64;
/** Of these, stops: the rest are the newest. */
const MOST_STOPS = 32;

/** Published while the license covered it, in its channels. Wraps are made for yanked ones as well: for recovery. */
export async function installsFor(tenant: Tenant, license: LicenseRow): Promise<Install[]> {
  const all = await named(tenant, license, [], MOST_INSTALLS + 1);
  const rows =
    all.length <= MOST_INSTALLS ? all : await named(tenant, license, await stopsOf(tenant, license), MOST_INSTALLS);
  return rows.map(({ channel, document }) => {
    const release = parseDocument(releaseDocumentSchema, Buffer.from(document), 'release document');
    const { version, counter, manifest, image } = release;
    return { channel, version, counter, manifest, ...(image ? { hardware: image.hardware } : {}) };
  });
}

/** The versions in `first`, then the newest of each channel in turn. */
async function named(
  tenant: Tenant,
  license: LicenseRow,
  first: readonly string[],
  limit: number,
): Promise<readonly { readonly channel: string; readonly document: string }[]> {
  let query = tenant.db
    .selectFrom('releases')
    .select(['channel', 'document'])
    .where(ownedBy(tenant, 'releases'))
    .where('state', '=', 'published')
    .where('yanked_at', 'is', null)
    .where('product', '=', license.product)
    .where('channel', 'in', [...license.channels])
    .where(notHeld(tenant));
  const untilMs = coveredUntilMs(rowTerm(license));
  if (untilMs !== undefined) query = query.where('published_at', '<', new Date(untilMs));
  return query
    .orderBy(sql`version = any(${[...first]}::text[])`, 'desc')
    .orderBy(sql`row_number() over (partition by channel order by counter desc)`)
    .orderBy('channel')
    .limit(limit)
    .execute();
}

/** Versions that a site may have to pass before it takes a newer one. */
async function stopsOf(tenant: Tenant, { product, channels }: LicenseRow): Promise<readonly string[]> {
  const published = await publishedGraph(tenant, product);
  return published ? requiredStops(published.graph, channels).slice(0, MOST_STOPS) : [];
}

/** A version whose rollout is paused or halted is offered to nobody, also where no bulletin is asked for. */
function notHeld({ organization }: Tenant): RawBuilder<boolean> {
  return sql<boolean>`not exists (
    select from rollouts held
    where held.organization = ${organization} and held.product = releases.product and held.channel = releases.channel
      and held.version = releases.version and held.state in ('paused', 'halted'))`;
}
