// How an upgrade graph follows from what happens to releases: published, promoted, yanked, taken back. Pure. Rules that people
// wrote (edges, stops, risks) are theirs and stay as they are.
import type { GraphNode, ReleaseDocument, UpgradeGraph, Yank } from '../../bundles/index.ts';

/** A published release as its node is made of it. */
export interface GraphRelease {
  readonly version: string;
  readonly channel: string;
  readonly cves: readonly string[];
  readonly minAgent: string | null;
  readonly irreversible: boolean;
  readonly yanked: Yank | null;
}

/** Whether a release says something that only a graph can tell sites. */
export function saysMore({ cves, minAgent, irreversible }: ReleaseDocument): boolean {
  return (cves?.length ?? 0) > 0 || minAgent !== undefined || irreversible === true;
}

/** A graph of everything that is published: from each version to every newer one. */
export function graphOfAll(product: string, releases: readonly GraphRelease[]): UpgradeGraph {
  const empty = { format: 1 as const, product, nodes: [], edges: [], stops: [], blocked: [] };
  return graphWith(empty, releases, releases);
}

/**
 * The graph with `offered` among its nodes, and with every yank that was made.
 *
 * @param releases all that is published of the product, `offered` included
 */
export function graphWith(
  graph: UpgradeGraph,
  releases: readonly GraphRelease[],
  offered: readonly GraphRelease[],
): UpgradeGraph {
  const nodes = new Map(graph.nodes.map(node => [node.version, node]));
  for (const release of offered) nodes.set(release.version, offering(nodes.get(release.version), release));
  for (const [version, all] of Map.groupBy(releases, release => release.version)) {
    if (all.some(({ yanked }) => yanked)) nodes.set(version, withYanks(nodes.get(version) ?? newNode(version), all));
  }
  return { ...graph, nodes: [...nodes.values()] };
}

/** Versions that are withdrawn and not said to be in the graph: it has to be signed again. */
export function unsignedYanks(graph: UpgradeGraph, releases: readonly GraphRelease[]): readonly string[] {
  const known = new Map(graph.nodes.map(node => [node.version, JSON.stringify(node)]));
  return graphWith(graph, releases, [])
    .nodes.filter(node => known.get(node.version) !== JSON.stringify(node))
    .map(node => node.version);
}

function newNode(version: string): GraphNode {
  return { version, channels: [], irreversible: false, cves: [] };
}

/** What a release does not say, its node keeps: somebody may have written it there. */
function offering(known: GraphNode | undefined, release: GraphRelease): GraphNode {
  const { version, channel, cves, minAgent, irreversible } = release;
  const { yanked: _, ...node } = known ?? newNode(version);
  return {
    ...node,
    channels: [...new Set([...node.channels, channel])],
    cves: cves.length > 0 ? [...cves] : node.cves,
    irreversible: irreversible || node.irreversible,
    ...(minAgent === null ? {} : { minAgent }),
  };
}

/** Yanked in all channels, the version is yanked; yanked in some, it is in the others. */
function withYanks(node: GraphNode, all: readonly GraphRelease[]): GraphNode {
  const yanked = all.filter(release => release.yanked);
  const last = yanked.map(release => release.yanked as Yank).toSorted((a, b) => (a.at < b.at ? -1 : 1));
  const channels = node.channels.length > 0 ? node.channels : all.map(release => release.channel);
  if (yanked.length === all.length) return { ...node, channels, yanked: last.at(-1) as Yank };
  const gone = new Set(yanked.map(release => release.channel));
  return { ...node, channels: node.channels.filter(channel => !gone.has(channel)) };
}
