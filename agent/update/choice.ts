// Which release a site takes next: pure, from verified documents and from what the site is. What both opinions name is narrowed
// by yanks and rollouts; in what is left, the vendor's graph shows the path, of which the first step is taken. Everything that is
// not taken comes with its reason.
import {
  type Attestation,
  compareVersions,
  explainDecision,
  explainPath,
  firstHop,
  type Hop,
  type OfferedRelease,
  planPath,
  type RolloutDecision,
  rolloutDecision,
  type UpgradeGraph,
  type UpgradePath,
  type Yank,
} from '../../bundles/index.ts';
import type { Heard } from './bulletin.ts';
import type { HeldBack, Outlook } from './outlook.ts';
import type { SiteSettings } from './settings.ts';
import type { Site } from './site.ts';
import type { Situation } from './situation.ts';

export interface ChoiceInput {
  readonly site: Pick<Site, 'site' | 'channel'>;
  /** What the channel and the service's word for this site name both, oldest first. */
  readonly releases: readonly OfferedRelease[];
  /** Undefined where there is none, and on media. */
  readonly heard: Heard | undefined;
  /** Undefined for a vendor who has none: then the newest wins. */
  readonly graph: UpgradeGraph | undefined;
  readonly situation: Situation;
  readonly settings: SiteSettings;
  readonly rehearsals: readonly Attestation[];
  readonly agentVersion: string;
  readonly now: Date;
}

export interface Choice {
  /** The next version; or the one that is installed, so that it is repaired where it was damaged. */
  readonly pick: OfferedRelease | undefined;
  readonly outlook: Outlook;
}

/** Never throws for documents that their schemas accept. */
export function choose(input: ChoiceInput): Choice {
  const { releases, heard, graph, situation } = input;
  const { installed } = situation;
  const yanks = yanksOf(input);
  const judged = releases.map(release => ({ release, held: holdOf(input, yanks, release.version) }));
  const candidates = judged.filter(({ held }) => held === undefined).map(({ release }) => release);
  const isNewer = ({ counter }: OfferedRelease) => counter > (installed?.counter ?? 0);
  const newest = candidates.at(-1);
  const route = routeTo(newest, candidates, yanks, input);
  const pick = route.next ?? candidates.find(({ counter }) => counter === installed?.counter);
  const waiting = judged.flatMap(({ release, held }) => (held && isNewer(release) ? [held] : []));
  const outlook: Outlook = {
    ...(installed ? { from: installed.version } : {}),
    ...(pick ? { next: { version: pick.version, counter: pick.counter } } : {}),
    rollouts: rolloutsOf(heard, pick?.version),
    pointsOfNoReturn: route.next ? [...(route.hop?.pointsOfNoReturn ?? [])] : [],
    hasGraph: graph !== undefined,
    sentences: [...route.sentences],
    heldBack: [...route.heldBack, ...waiting].toSorted((a, b) => compareVersions(b.version, a.version)),
    withdrawn: withdrawnOf(input, yanks),
    risks: [...new Set(graph?.blocked.map(({ risk }) => risk.name))],
  };
  return { pick, outlook };
}

interface RouteFound {
  readonly next?: OfferedRelease;
  readonly hop?: Hop;
  readonly sentences: readonly string[];
  readonly heldBack: readonly HeldBack[];
}

/** The first step on the way to the newest candidate; without a graph, or where nothing is installed, that one itself. */
function routeTo(
  newest: OfferedRelease | undefined,
  candidates: readonly OfferedRelease[],
  yanks: ReadonlyMap<string, Yank>,
  { graph, situation: { installed, facts }, site, settings, rehearsals, agentVersion }: ChoiceInput,
): RouteFound {
  if (!newest || newest.counter <= (installed?.counter ?? 0)) return { sentences: [], heldBack: [] };
  if (!graph || !installed) return { next: newest, sentences: [], heldBack: [] };
  const path = planPath(withYanks(graph, yanks), {
    from: installed.version,
    to: newest.version,
    channel: site.channel,
    facts,
    agentVersion,
    attestations: rehearsals,
    allowRisks: new Set(settings.acceptedRisks),
    offered: new Set(candidates.map(({ version }) => version)),
  });
  const sentences = explainPath(path);
  const heldBack = path.outcome === 'none' ? [unreached(newest.version, path)] : [];
  const hop = firstHop(path);
  if (!hop) return { sentences, heldBack };
  if (hop.agentFirst !== undefined) {
    return { sentences, heldBack: [...heldBack, agentTooOld(hop.to, hop.agentFirst, agentVersion)] };
  }
  const next = candidates.find(({ version }) => version === hop.to);
  return { ...(next ? { next } : {}), hop, sentences, heldBack };
}

export function agentTooOld(version: string, needed: string, agentVersion: string): HeldBack {
  const reason = `Version ${version} needs agent ${needed} first; this one is ${agentVersion}.`;
  return { version, code: 'agent-too-old', reason };
}

/** What is in the way, without the way to something older. */
function unreached(version: string, path: Extract<UpgradePath, { outcome: 'none' }>): HeldBack {
  const { nearest: _, yanked: __, ...blocked } = path;
  return { version, code: 'update-held-back', reason: explainPath({ ...blocked, isListed: true }).join(' ') };
}

/** By version: the service's word is the later one. */
function yanksOf({ graph, heard }: ChoiceInput): ReadonlyMap<string, Yank> {
  const ofGraph = graph?.nodes.flatMap(({ version, yanked }) => (yanked ? [[version, yanked] as const] : [])) ?? [];
  const ofBulletin = heard?.bulletin.yanked.map(({ version, ...yank }) => [version, yank] as const) ?? [];
  return new Map([...ofGraph, ...ofBulletin]);
}

function withYanks(graph: UpgradeGraph, yanks: ReadonlyMap<string, Yank>): UpgradeGraph {
  const nodes = graph.nodes.map(node => {
    const yanked = yanks.get(node.version);
    return yanked ? { ...node, yanked } : node;
  });
  return { ...graph, nodes };
}

/** Why a version is no candidate. */
function holdOf(input: ChoiceInput, yanks: ReadonlyMap<string, Yank>, version: string): HeldBack | undefined {
  const yank = yanks.get(version);
  if (yank) return { version, code: 'update-held-back', reason: yankText(version, yank) };
  const { heard, site, settings, now } = input;
  const who = { id: site.site, labels: settings.labels };
  for (const rollout of rolloutsOf(heard, version)) {
    const decision = rolloutDecision(rollout, who, now);
    if (decision.offered) continue;
    const reason = explainDecision(rollout, decision);
    return { version, code: 'update-held-back', reason, ...changing(decision) };
  }
  return undefined;
}

/** Of an expired bulletin, what was halted stays so. */
function rolloutsOf(heard: Heard | undefined, version: string | undefined): Outlook['rollouts'] {
  const rollouts = heard?.bulletin.rollouts.filter(rollout => rollout.version === version) ?? [];
  return heard?.isExpired ? rollouts.filter(({ state }) => state === 'halted') : rollouts;
}

function withdrawnOf(
  { heard, releases, situation }: ChoiceInput,
  yanks: ReadonlyMap<string, Yank>,
): Outlook['withdrawn'] {
  const halted = heard?.bulletin.rollouts.filter(({ state }) => state === 'halted') ?? [];
  const reasons = new Map([
    ...halted.map(rollout => [rollout.version, explainDecision(rollout, HALTED)] as const),
    ...[...yanks].map(([version, yank]) => [version, yankText(version, yank)] as const),
  ]);
  const versions = new Set([...releases.map(({ version }) => version), ...(heard ? reasons.keys() : [])]);
  if (situation.installed) versions.add(situation.installed.version);
  return [...versions].flatMap(version => {
    const reason = reasons.get(version);
    return reason === undefined ? [] : [{ version, reason }];
  });
}

const HALTED: RolloutDecision = { offered: false, reason: 'halted' };

function yankText(version: string, { reason, advice, at }: Yank): string {
  const said = [reason, advice].map(text => text.replace(/\.$/, '')).join('. ');
  return `Version ${version} was yanked on ${at.slice(0, 10)}: ${said}.`;
}

function changing({ nextChange }: RolloutDecision): Pick<HeldBack, 'nextChange'> {
  return nextChange ? { nextChange: nextChange.toISOString() } : {};
}
