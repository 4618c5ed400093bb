// Upgrade graphs in short, and questions to them.
import {
  type PathQuery,
  planPath,
  type UpgradeGraph,
  type UpgradePath,
  upgradeGraphSchema,
} from '../../bundles/index.ts';

type Parts = { readonly [K in keyof Omit<UpgradeGraph, 'nodes'>]?: unknown };

/** Versions are in the channel `stable` unless a node says otherwise. */
export function graphOf(
  nodes: readonly (string | (Partial<UpgradeGraph['nodes'][number]> & { readonly version: string }))[],
  parts: Parts = {},
): UpgradeGraph {
  return upgradeGraphSchema.parse({
    format: 1,
    product: 'cloud',
    nodes: nodes.map(node => ({ channels: ['stable'], ...(typeof node === 'string' ? { version: node } : node) })),
    edges: [],
    stops: [],
    blocked: [],
    ...parts,
  });
}

export function ask(graph: UpgradeGraph, from: string, query: Partial<PathQuery> = {}): UpgradePath {
  const site = { channel: 'stable', facts: {}, agentVersion: '1.0.0', attestations: [], allowRisks: new Set<string>() };
  return planPath(graph, { from, ...site, ...query });
}

/** The versions of a path, the running one first; undefined without a path. */
export function versionsOf(path: UpgradePath): readonly string[] | undefined {
  return path.outcome === 'path' ? [path.from, ...path.hops.map(hop => hop.to)] : undefined;
}

export const YANKED = { reason: 'it loses data', advice: 'Upgrade now.', at: '2026-01-05T00:00:00Z' };
