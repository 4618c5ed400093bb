// Finds the way of one site through the upgrade graph of its product, and says why it is this one, or why there is none.
// Pure: the graph is verified, and the facts and attestations are what the site holds to be true.
import { parseVersion, placeOf, type Version } from '../version.ts';
import { Edges, type Site } from './edges.ts';
import type { UpgradeGraph, Yank } from './graph.ts';
import { type Hop, hopOf } from './hop.ts';
import { Lineup } from './lineup.ts';
import { againstCrossings, againstEveryWay, againstVersion, type Obstacle } from './obstacles.ts';
import { bestPath, crossingsTo, layersFrom } from './search.ts';
import type { VersionSet } from './version-set.ts';

export interface PathQuery extends Site {
  /** Where to; without it, as far as it goes in the channel. */
  readonly to?: string;
}

/** A version that cannot be reached, and everything that blocks it. */
export interface Unreached {
  readonly version: string;
  readonly blockers: readonly Obstacle[];
}

export interface Route {
  readonly to: string;
  readonly hops: readonly Hop[];
}

interface Running {
  readonly from: string;
  readonly agentVersion: string;
  /** The graph lists the version that runs. */
  readonly isListed: boolean;
  /** What runs was yanked: leave it. */
  readonly yanked?: Yank;
}

interface Found extends Route {
  readonly outcome: 'path';
  /** Where nothing was asked for: the newest of the channel, when it cannot be reached. */
  readonly heldBack?: Unreached;
}

interface NothingToDo {
  /** Nothing newer in the channel, or already there. */
  readonly outcome: 'current';
}

interface NotFound {
  readonly outcome: 'none';
  readonly wanted: Unreached;
  /** To the newest version below the wanted one that can be reached. */
  readonly nearest?: Route;
}

export type UpgradePath = Running & (Found | NothingToDo | NotFound);

/**
 * The best path: the fewest stops, then the newest versions. The same question has the same answer. Takes time that grows with
 * the square of the number of versions, divided by 32. Never throws for a graph that the schema accepts.
 *
 * @example
 * explainPath(planPath(graph, { from: '4.2.0', channel: 'stable', facts: { nodes: 12 }, agentVersion: '0.1.0',
 *   attestations: [], allowRisks: new Set() }));
 */
export function planPath(graph: UpgradeGraph, query: PathQuery): UpgradePath {
  const version = parseVersion(query.from);
  if (!version) return unknownStart(query);
  const survey = surveyOf(graph, query, version);
  const running = runningOf(survey);
  const end = query.to === undefined ? survey.edges.candidates.last : survey.lineup.find(query.to);
  if (end === survey.lineup.start || (end === undefined && query.to === undefined)) {
    return { ...running, outcome: 'current' };
  }
  if (end !== undefined && survey.reached.has(end)) return { ...running, outcome: 'path', ...routeTo(end, survey) };
  const wanted = unreached(end, survey);
  const nearest = nearestTo(end, survey);
  if (nearest === undefined) return { ...running, outcome: 'none', wanted };
  const route = routeTo(nearest, survey);
  if (query.to === undefined) return { ...running, outcome: 'path', ...route, heldBack: wanted };
  return { ...running, outcome: 'none', wanted, nearest: route };
}

/** Where to go next: to what was asked for, or to the nearest below it that can be reached. Undefined when there is no step. */
export function firstHop(path: UpgradePath): Hop | undefined {
  if (path.outcome === 'path') return path.hops[0];
  return path.outcome === 'none' ? path.nearest?.hops[0] : undefined;
}

/** What one question looks at. */
interface Survey {
  readonly query: PathQuery;
  readonly lineup: Lineup;
  readonly edges: Edges;
  readonly start: VersionSet;
  /** By the number of hops that it takes. */
  readonly layers: readonly VersionSet[];
  /** All of them together. */
  readonly reached: VersionSet;
}

function surveyOf(graph: UpgradeGraph, query: PathQuery, running: Version): Survey {
  const lineup = new Lineup(graph, running);
  const edges = new Edges(graph, lineup, query);
  const start = lineup.none().add(lineup.start);
  const layers = layersFrom(start, from => edges.open(from));
  return { query, lineup, edges, start, layers, reached: unionOf(layers) };
}

function unionOf(sets: readonly VersionSet[]): VersionSet {
  return sets.reduce((union, set) => union.addAll(set), (sets[0] as VersionSet).copy());
}

function runningOf({ lineup, query: { from, agentVersion } }: Survey): Running {
  const node = lineup.nodes[lineup.start];
  const running = { from, agentVersion, isListed: node !== undefined };
  return node?.yanked ? { ...running, yanked: node.yanked } : running;
}

function unknownStart({ from, to, agentVersion }: PathQuery): UpgradePath {
  const blockers = [{ kind: 'unknown-version' as const, version: from }];
  return { from, agentVersion, isListed: false, outcome: 'none', wanted: { version: to ?? from, blockers } };
}

function routeTo(end: number, { lineup, edges, layers }: Survey): Route {
  const stops = bestPath(layers, end, from => edges.open(from));
  const hops = stops.slice(1).map((to, i) => hopOf(edges, stops[i] as number, to, end));
  return { to: lineup.text(end), hops };
}

function unreached(end: number | undefined, survey: Survey): Unreached {
  const { query, lineup } = survey;
  const version = query.to ?? lineup.text(end as number);
  return { version, blockers: end === undefined ? [{ kind: 'unknown-version', version }] : blockersOf(end, survey) };
}

function blockersOf(end: number, { query, lineup, edges, start }: Survey): readonly Obstacle[] {
  if (end < lineup.start) return [{ kind: 'backwards', from: query.from, to: lineup.text(end) }];
  const unfit = againstVersion(edges, end);
  if (unfit.length > 0) return unfit;
  const [open, possible] = [(from: number) => edges.open(from), (from: number) => edges.possible(from)];
  const crossings = crossingsTo(end, start, open, possible);
  if (crossings) return againstCrossings(edges, crossings);
  return againstEveryWay(edges, unionOf(layersFrom(start, possible)), end);
}

/** The newest version below the wanted one that can be reached; below one that is not in the graph, whatever it would be. */
function nearestTo(end: number | undefined, { lineup, reached, query }: Survey): number | undefined {
  const wanted = query.to === undefined ? undefined : parseVersion(query.to);
  const limit = end ?? (wanted ? placeOf(lineup.versions, wanted)[0] - 1 : -1);
  if (limit <= lineup.start) return undefined;
  const nearest = reached.copy().keepUpTo(limit).last;
  return nearest === lineup.start ? undefined : nearest;
}
