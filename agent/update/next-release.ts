// Reads what the choice of the next version is made from, keeps what was decided, and holds the release that was chosen against both
// opinions.
import {
  compareVersions,
  offeredDocument,
  offeredReleases,
  parseVersion,
  type ReleaseDocument,
  signedGraph,
} from '../../bundles/index.ts';
import type { Director, Repository } from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import { followBulletin, type Said } from './bulletin.ts';
import { agentTooOld, choose } from './choice.ts';
import { agrees } from './director.ts';
import { type HeldBack, type Outlook, writeOutlook } from './outlook.ts';
import { readSettings } from './settings.ts';
import type { Site } from './site.ts';
import { readSituation } from './situation.ts';

interface NextOptions {
  readonly directory: string;
  readonly site: Site;
  readonly agentVersion: string;
  /** Absent for a medium. */
  readonly bulletin?: Said;
  readonly relayed?: readonly Said[];
}

/**
 * The release that is next: one that both opinions agree on, offered to this site now, and the first step on the vendor's path.
 * What was decided is kept, whatever comes of it.
 *
 * @throws `update-none` when the channel, or the service for this site, offers nothing; `release-disputed` when the opinions
 *   differ; what `followBulletin` throws
 */
export async function nextRelease(
  { directory, site, bulletin, relayed = [], agentVersion }: NextOptions,
  repository: Repository,
  { installs, rehearsals = [] }: Director,
  now: Date,
): Promise<{ readonly document: ReleaseDocument } | { readonly waiting: Error }> {
  const { product, channel } = site;
  const heard = bulletin && (await followBulletin(directory, site, repository, bulletin, relayed, now));
  const named = installs.filter(install => install.channel === channel);
  const offered = await offeredReleases(repository, product, channel);
  const { pick, outlook } = choose({
    site,
    releases: offered.filter(release => named.some(install => install.version === release.version)),
    heard,
    graph: await signedGraph(repository, product),
    situation: await readSituation(directory),
    settings: await readSettings(directory),
    rehearsals: rehearsals.map(step => ({ kind: 'rehearsal', ...step })),
    agentVersion,
    now,
  });
  await writeOutlook(directory, outlook);
  if (!pick) return { waiting: whyNothing(channel, outlook) };
  const document = await offeredDocument(repository, product, channel, pick);
  const tooOld = tooOldFor(document, outlook, agentVersion);
  if (tooOld) {
    const { next: _, ...rest } = outlook;
    await writeOutlook(directory, { ...rest, heldBack: [tooOld, ...rest.heldBack] });
    return { waiting: agentError(tooOld.code, tooOld.reason) };
  }
  if (named.some(install => agrees(install, document, channel, site.hardware))) return { document };
  const what = `${product} ${pick.version}`;
  throw agentError(
    'release-disputed',
    `What the service offers as ${what} is not what was signed, or not for this site.`,
  );
}

/** @throws `update-none` where nothing waits */
function whyNothing(channel: string, { heldBack, withdrawn, from }: Outlook): Error {
  // What needs somebody to act comes first.
  const [most] = heldBack.toSorted((a, b) => a.code.localeCompare(b.code));
  if (most) return agentError(most.code, heldBack.map(({ reason }) => reason).join(' '));
  const here = withdrawn.find(({ version }) => version === from);
  if (here) return agentError('update-held-back', `${here.reason} Nothing newer is offered to this site.`);
  throw agentError('update-none', `The channel ${channel} offers nothing to this site yet.`);
}

/** Also where there is no graph, the release itself says which agent it needs. What is installed stays as it is. */
function tooOldFor(
  { version, minAgent }: ReleaseDocument,
  { from }: Outlook,
  agentVersion: string,
): HeldBack | undefined {
  if (minAgent === undefined || version === from) return undefined;
  const isNewEnough = parseVersion(agentVersion) && compareVersions(agentVersion, minAgent) >= 0;
  return isNewEnough ? undefined : agentTooOld(version, minAgent, agentVersion);
}
