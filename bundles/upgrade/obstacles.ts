// What stands against a version or a step, by name.
import type { Edges } from './edges.ts';
import type { Yank } from './graph.ts';
import type { Lineup } from './lineup.ts';
import { type RiskFinding, standsInTheWay } from './risks.ts';
import type { Crossing } from './search.ts';
import type { Stop } from './stops.ts';
import type { VersionSet } from './version-set.ts';

export type Obstacle =
  | { readonly kind: 'unknown-version'; readonly version: string }
  | { readonly kind: 'backwards'; readonly from: string; readonly to: string }
  | { readonly kind: 'yanked'; readonly version: string; readonly yanked: Yank }
  | { readonly kind: 'not-in-channel'; readonly version: string; readonly channel: string }
  /** Held back for this site, by something else than the graph. */
  | { readonly kind: 'not-offered'; readonly version: string }
  /** No rule has the step; `edgesFrom` are the ranges from which rules lead to that version. */
  | { readonly kind: 'no-edge'; readonly from: string; readonly to: string; readonly edgesFrom: readonly string[] }
  /** One of these versions has to be passed, and the step jumps over all of them. */
  | { readonly kind: 'required-stop'; readonly oneOf: readonly string[]; readonly reason?: string }
  | { readonly kind: 'risk'; readonly from: string; readonly to: string; readonly finding: RiskFinding }
  | { readonly kind: 'rehearsal-missing'; readonly from: string; readonly to: string };

/** Why one step cannot be gone; empty when it can. */
export function againstStep(edges: Edges, from: number, to: number): readonly Obstacle[] {
  const { lineup, stops } = edges;
  const step = { from: lineup.text(from), to: lineup.text(to) };
  return [
    ...stops.between(from, to).map(stop => stopObstacle(stop, lineup)),
    ...(edges.isListed(from, to) ? [] : [{ kind: 'no-edge' as const, ...step, edgesFrom: edges.rulesTo(to) }]),
    ...edges
      .risksOf(from, to)
      .filter(standsInTheWay)
      .map(finding => ({ kind: 'risk' as const, ...step, finding })),
    ...(edges.unrehearsed(from).has(to) ? [{ kind: 'rehearsal-missing' as const, ...step }] : []),
  ];
}

/** Why nobody is brought to a version of the graph; empty for those that are fit. */
export function againstVersion({ lineup, site }: Edges, index: number): readonly Obstacle[] {
  const { channel, offered } = site;
  const [version, node] = [lineup.text(index), lineup.nodes[index]];
  if (!node) return [{ kind: 'unknown-version', version }];
  const { yanked, channels } = node;
  return [
    ...(yanked ? [{ kind: 'yanked' as const, version, yanked }] : []),
    ...(channels.includes(channel) ? [] : [{ kind: 'not-in-channel' as const, version, channel }]),
    ...((offered?.has(version) ?? true) ? [] : [{ kind: 'not-offered' as const, version }]),
  ];
}

/**
 * Every risk and rehearsal that closes these steps, each name once. Its example is the step that starts first, which makes the
 * shortest path once it is open.
 */
export function againstCrossings(edges: Edges, crossings: readonly Crossing[]): readonly Obstacle[] {
  const byName = new Map<string, Obstacle>();
  for (const { from, ends } of crossings.toSorted((a, b) => a.from - b.from)) {
    for (const { to, finding } of edges.risksFrom(from)) {
      const newest = standsInTheWay(finding) ? to.copy().keep(ends).last : undefined;
      const name = `risk ${finding.name}`;
      if (newest === undefined || byName.has(name)) continue;
      const worst = edges.risksOf(from, newest).find(other => other.name === finding.name) ?? finding;
      byName.set(name, { kind: 'risk', from: edges.lineup.text(from), to: edges.lineup.text(newest), finding: worst });
    }
    const newest = edges.unrehearsed(from).keep(ends).last;
    const name = `rehearsal of ${newest}`;
    if (newest === undefined || byName.has(name)) continue;
    byName.set(name, { kind: 'rehearsal-missing', from: edges.lineup.text(from), to: edges.lineup.text(newest) });
  }
  return [...byName.values()];
}

/**
 * Why no way is possible at all, whatever is accepted or rehearsed: a stop that nobody is brought to, or a step that no rule has.
 *
 * @param reached where the rules lead to, with the start
 */
export function againstEveryWay(edges: Edges, reached: VersionSet, end: number): readonly Obstacle[] {
  const { lineup, candidates, stops } = edges;
  // A missed stop is the goal before the goal: each is older than the last, and none of them is reached.
  for (let goal = end; ; ) {
    const from = reached.copy().keepUpTo(goal).last as number;
    const [stop] = stops.between(from, goal);
    if (!stop) return againstStep(edges, from, goal).filter(({ kind }) => kind === 'no-edge');
    const fit = stop.oneOf.findLast(index => index < goal && candidates.has(index));
    if (fit !== undefined) goal = fit;
    else return [stopObstacle(stop, lineup), ...stop.oneOf.flatMap(index => againstVersion(edges, index))];
  }
}

function stopObstacle({ oneOf, ...stop }: Stop, lineup: Lineup): Obstacle {
  return { kind: 'required-stop', oneOf: oneOf.map(index => lineup.text(index)), ...stop };
}
