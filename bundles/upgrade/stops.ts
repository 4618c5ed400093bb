// Required stops: versions that no path jumps over, and families of which it passes at least one. A step decides alone whether
// it jumps over a stop, so that a path keeps to all of them when each of its steps does.
import { compareVersions, isInRange, parseRange, parseVersion, type Range, type Version } from '../version.ts';
import type { GraphNode, UpgradeGraph } from './graph.ts';
import type { Lineup } from './lineup.ts';
import type { VersionSet } from './version-set.ts';

/** One of these has to be passed. */
export interface Stop {
  /** Places, oldest first. */
  readonly oneOf: readonly number[];
  readonly reason?: string;
}

interface Family {
  readonly members: VersionSet;
  readonly reason: string | undefined;
}

export class Stops {
  readonly #lineup: Lineup;
  /** Each member is a stop of its own. The nearest one hides those behind it. */
  readonly #singles: readonly Family[];
  readonly #families: readonly Family[];

  constructor({ stops }: UpgradeGraph, lineup: Lineup) {
    this.#lineup = lineup;
    this.#singles = stops.flatMap(stop => ('each' in stop ? [family(lineup, stop.each, stop.reason)] : []));
    this.#families = stops.flatMap(stop => ('oneOf' in stop ? [family(lineup, stop.oneOf, stop.reason)] : []));
  }

  /** Where no step from here may end. */
  beyond(from: number): VersionSet {
    const beyond = this.#lineup.none();
    const single = this.#nextSingle(from);
    if (single) beyond.addAll(this.#lineup.all.copy().keepAbove(single.at));
    for (const { members } of this.#families) {
      const first = members.has(from) ? undefined : members.firstAbove(from);
      if (first !== undefined) beyond.addAll(this.#lineup.all.copy().keepAbove(first).remove(members));
    }
    return beyond;
  }

  /** What a step jumps over: the nearest single stop, and every family. */
  between(from: number, to: number): readonly Stop[] {
    const single = this.#nextSingle(from);
    const families = this.#families.filter(({ members }) => {
      const first = members.firstAbove(from);
      return !members.has(from) && !members.has(to) && first !== undefined && first < to;
    });
    return [
      ...(single && single.at < to ? [stop([single.at], single.reason)] : []),
      ...families.map(({ members, reason }) => stop([...members.copy().keepAbove(from)], reason)),
    ];
  }

  #nextSingle(from: number): { readonly at: number; readonly reason: string | undefined } | undefined {
    const next = this.#singles.map(({ members, reason }) => ({ at: members.firstAbove(from) ?? Infinity, reason }));
    const nearest = next.reduce((a, b) => (b.at < a.at ? b : a), { at: Infinity, reason: undefined });
    return nearest.at === Infinity ? undefined : nearest;
  }
}

/**
 * What a site of any of these channels may have to pass, wherever it comes from: each single stop, and of a family the newest of
 * each channel. The newest first.
 */
export function requiredStops({ nodes, stops }: UpgradeGraph, channels: readonly string[]): readonly string[] {
  const offered = nodes.filter(node => !node.yanked).toSorted((a, b) => compareVersions(b.version, a.version));
  const names = stops.flatMap(stop => {
    const range = parseRange('each' in stop ? stop.each : stop.oneOf) as Range;
    const members = offered.filter(({ version }) => isInRange(parseVersion(version) as Version, range));
    const inChannel = channels.map(channel => members.filter(node => node.channels.includes(channel)));
    return inChannel.flatMap(all => ('each' in stop ? all : all.slice(0, 1))).map(({ version }: GraphNode) => version);
  });
  return [...new Set(names)].toSorted((a, b) => compareVersions(b, a));
}

function family(lineup: Lineup, range: string, reason: string | undefined): Family {
  return { members: lineup.select(range), reason };
}

function stop(oneOf: readonly number[], reason: string | undefined): Stop {
  return reason === undefined ? { oneOf } : { oneOf, reason };
}
