// The versions of a graph in their order, with the one that runs among them. Everything else here names a version by its place.
import {
  compareParsed,
  indexesInRange,
  parseRange,
  parseVersion,
  placeOf,
  type Range,
  type Version,
} from '../version.ts';
import type { GraphNode, UpgradeGraph } from './graph.ts';
import { VersionSet } from './version-set.ts';

export class Lineup {
  readonly versions: readonly Version[];
  /** What the graph says of each; nothing of a running version that it does not list. */
  readonly nodes: readonly (GraphNode | undefined)[];
  /** The place of the version that runs. */
  readonly start: number;
  /** Every place; not to be changed. */
  readonly all: VersionSet;

  constructor(graph: UpgradeGraph, running: Version) {
    const listed = graph.nodes.map(node => ({ version: parseVersion(node.version) as Version, node }));
    const isListed = listed.some(({ version }) => compareParsed(version, running) === 0);
    const all = isListed ? listed : [...listed, { version: running, node: undefined }];
    const ascending = all.toSorted((a, b) => compareParsed(a.version, b.version));
    this.versions = ascending.map(({ version }) => version);
    this.nodes = ascending.map(({ node }) => node);
    [this.start] = placeOf(this.versions, running);
    this.all = VersionSet.of(this.size, this.versions.keys());
  }

  get size(): number {
    return this.versions.length;
  }

  text(index: number): string {
    return (this.versions[index] as Version).text;
  }

  find(text: string): number | undefined {
    const version = parseVersion(text);
    if (!version) return undefined;
    const [before, notAfter] = placeOf(this.versions, version);
    return notAfter > before ? before : undefined;
  }

  none(): VersionSet {
    return VersionSet.of(this.size);
  }

  /** @param range of the graph, which is checked */
  select(range: string): VersionSet {
    return VersionSet.of(this.size, indexesInRange(this.versions, parseRange(range) as Range));
  }

  selectSteps({ from, to }: { readonly from: string; readonly to: string }): Steps {
    return { from: this.select(from), to: this.select(to) };
  }
}

/** From any of these to any of those. */
export interface Steps {
  readonly from: VersionSet;
  readonly to: VersionSet;
}

export function hasStep({ from, to }: Steps, start: number, end: number): boolean {
  return from.has(start) && to.has(end);
}

/** Where any of the rules leads from here. */
export function endsFrom(rules: readonly Steps[], start: number, lineup: Lineup): VersionSet {
  const ends = lineup.none();
  for (const rule of rules) if (rule.from.has(start)) ends.addAll(rule.to);
  return ends;
}
