// The steps that a graph has for one site. Rules are sets of places in the order of versions; edges are never written out.

import type { Facts } from './condition.ts';
import type { UpgradeGraph } from './graph.ts';
import { endsFrom, hasStep, type Lineup, type Steps } from './lineup.ts';
import { judgeRisks, onceByName, type RiskFinding, type RiskySteps, standsInTheWay } from './risks.ts';
import { Stops } from './stops.ts';
import type { VersionSet } from './version-set.ts';

/** A signed statement that this very step has been rehearsed; whoever hands it in has verified it. */
export interface Attestation {
  readonly kind: 'rehearsal';
  readonly from: string;
  readonly to: string;
}

/** What a site is, and what it may. */
export interface Site {
  /** The version that runs. */
  readonly from: string;
  readonly channel: string;
  readonly facts: Facts;
  readonly agentVersion: string;
  readonly attestations: readonly Attestation[];
  /** Names of the risks that its operator has accepted. */
  readonly allowRisks: ReadonlySet<string>;
  /** Versions that it can be brought to now, whatever the graph says of others; without it, all. */
  readonly offered?: ReadonlySet<string>;
}

export class Edges {
  readonly graph: UpgradeGraph;
  readonly site: Site;
  readonly lineup: Lineup;
  readonly stops: Stops;
  /** Where a step may end: newer than what runs, in the channel, offered, and not yanked. */
  readonly candidates: VersionSet;
  readonly #risks: readonly RiskySteps[];
  readonly #listed: readonly Steps[];
  readonly #demands: readonly Steps[];
  readonly #rehearsed: ReadonlyMap<number, VersionSet>;
  readonly #isFree: (from: number) => boolean;
  readonly #known = { possible: new Map<number, VersionSet>(), open: new Map<number, VersionSet>() };

  constructor(graph: UpgradeGraph, lineup: Lineup, site: Site) {
    this.graph = graph;
    this.site = site;
    this.lineup = lineup;
    this.stops = new Stops(graph, lineup);
    this.candidates = candidatesOf(lineup, site);
    this.#risks = judgeRisks(graph, lineup, site.facts, site.allowRisks);
    this.#listed = graph.edges.map(edge => lineup.selectSteps(edge));
    this.#demands = this.#listed.filter((_, i) => graph.edges[i]?.requires !== undefined);
    this.#rehearsed = rehearsedSteps(lineup, site.attestations);
    // A version that was yanked is to be left, also when nobody has thought of a rule for that.
    const isStranded =
      lineup.nodes[lineup.start]?.yanked !== undefined &&
      this.#allowed(endsFrom(this.#listed, lineup.start, lineup), lineup.start).isEmpty;
    this.#isFree = from => graph.edges.length === 0 || (isStranded && from === lineup.start);
  }

  /** Where the rules lead from here, whatever stands against it at this site. */
  possible(from: number): VersionSet {
    return remember(this.#known.possible, from, () => {
      return this.#allowed(
        this.#isFree(from) ? this.candidates.copy() : endsFrom(this.#listed, from, this.lineup),
        from,
      );
    });
  }

  /** Where the site can go from here. */
  open(from: number): VersionSet {
    return remember(this.#known.open, from, () => {
      const standing = this.#risks.filter(risk => standsInTheWay(risk.finding));
      return this.possible(from)
        .copy()
        .remove(endsFrom(standing, from, this.lineup))
        .remove(this.unrehearsed(from));
    });
  }

  isListed(from: number, to: number): boolean {
    return this.#isFree(from) || this.#listed.some(rule => hasStep(rule, from, to));
  }

  /** The ranges from which rules lead to a version; not those in which all versions are newer. */
  rulesTo(to: number): readonly string[] {
    const leading = this.#listed.map(rule => rule.to.has(to) && (rule.from.firstAbove(-1) ?? -1) < to);
    return [...new Set(this.graph.edges.filter((_, i) => leading[i]).map(edge => edge.from))];
  }

  /** Risks that have steps from here, a name as often as rules have it; `to` is where they end. */
  risksFrom(from: number): readonly RiskySteps[] {
    return this.#risks.filter(risk => risk.from.has(from));
  }

  /** The risks of one step, each name once. */
  risksOf(from: number, to: number): readonly RiskFinding[] {
    return onceByName(this.#risks.filter(risk => hasStep(risk, from, to)).map(risk => risk.finding));
  }

  /** Where a step from here has to be rehearsed first. */
  unrehearsed(from: number): VersionSet {
    const demanded = endsFrom(this.#demands, from, this.lineup);
    const rehearsed = this.#rehearsed.get(from);
    return rehearsed ? demanded.remove(rehearsed) : demanded;
  }

  /** Whether a step was demanded to be rehearsed, and was. */
  isRehearsed(from: number, to: number): boolean {
    return this.#rehearsed.get(from)?.has(to) === true && this.#demands.some(rule => hasStep(rule, from, to));
  }

  #allowed(ends: VersionSet, from: number): VersionSet {
    return ends.keep(this.candidates).keepAbove(from).remove(this.stops.beyond(from));
  }
}

function candidatesOf(lineup: Lineup, { channel, offered }: Site): VersionSet {
  const candidates = lineup.none();
  for (const [index, node] of lineup.nodes.entries()) {
    const isOffered = node && (offered?.has(node.version) ?? true);
    if (isOffered && !node.yanked && node.channels.includes(channel)) candidates.add(index);
  }
  return candidates.keepAbove(lineup.start);
}

function rehearsedSteps(lineup: Lineup, attestations: readonly Attestation[]): ReadonlyMap<number, VersionSet> {
  const steps = new Map<number, VersionSet>();
  for (const attestation of attestations) {
    const [from, to] = [lineup.find(attestation.from), lineup.find(attestation.to)];
    if (from === undefined || to === undefined) continue;
    steps.set(from, (steps.get(from) ?? lineup.none()).add(to));
  }
  return steps;
}

function remember(known: Map<number, VersionSet>, index: number, compute: () => VersionSet): VersionSet {
  const value = known.get(index) ?? compute();
  known.set(index, value);
  return value;
}
