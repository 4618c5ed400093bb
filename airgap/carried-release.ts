// Which release a medium carries: of what both opinions name, the newest; or, for a site of which is known what it runs, the next
// step on the vendor's path. What is read here, the medium carries: it is what proves the release.
import {
  explainPath,
  firstHop,
  offeredDocument,
  offeredReleases,
  type PathQuery,
  planPath,
  type ReleaseDocument,
  signedGraph,
} from '../bundles/index.ts';
import type { Director, Repository } from '../signing/index.ts';
import { airgapError } from './errors.ts';

/** What the vendor knows of a site. */
export type SiteQuery = Pick<PathQuery, 'from' | 'facts' | 'agentVersion' | 'allowRisks'>;

interface Wanted {
  readonly product: string;
  readonly channel: string;
  readonly site: SiteQuery | undefined;
}

export interface CarriedRelease {
  readonly release: ReleaseDocument;
  /** Why it is this one, in sentences. */
  readonly path: readonly string[];
}

/**
 * @throws `media-foreign` when nothing is offered, `media-held-back` when there is no step for this site, and the codes of trust
 *   and the source
 */
export async function carriedRelease(
  repository: Repository,
  { product, channel, site }: Wanted,
  { installs, rehearsals = [] }: Director,
): Promise<CarriedRelease> {
  const graph = await signedGraph(repository, product);
  const named = new Set(installs.filter(install => install.channel === channel).map(({ version }) => version));
  const offered = (await offeredReleases(repository, product, channel)).filter(({ version }) => named.has(version));
  const newest = offered.at(-1);
  if (!newest) throw airgapError('media-foreign', `The channel ${channel} of ${product} offers nothing yet.`);
  if (!graph || !site) return { release: await offeredDocument(repository, product, channel, newest), path: [] };
  const attestations = rehearsals.map(step => ({ kind: 'rehearsal' as const, ...step }));
  const way = planPath(graph, { ...site, to: newest.version, channel, attestations, offered: named });
  const path = explainPath(way);
  const hop = firstHop(way);
  const next = offered.find(({ version }) => version === hop?.to);
  if (!next) throw airgapError('media-held-back', path.join(' '));
  return { release: await offeredDocument(repository, product, channel, next), path };
}
