// One upgrade of a path, with everything that is to be known about it.
import { compareVersions, parseVersion } from '../version.ts';
import type { Edges } from './edges.ts';
import type { GraphNode } from './graph.ts';
import type { Lineup } from './lineup.ts';
import { againstStep, type Obstacle } from './obstacles.ts';
import type { RiskFinding } from './risks.ts';

export interface Hop {
  readonly from: string;
  readonly to: string;
  readonly why: 'destination' | 'required-stop' | 'on-the-way';
  /** Why the destination is not reached in one step from here; empty for the last hop. */
  readonly notDirect: readonly Obstacle[];
  /** Every risk that was looked at; none of them stands in the way. */
  readonly risks: readonly RiskFinding[];
  /** There is no way back behind these once the hop is made. */
  readonly pointsOfNoReturn: readonly string[];
  /** The agent has to be at least this first; the present one is older. */
  readonly agentFirst?: string;
  /** A rehearsal was demanded and is attested. */
  readonly isRehearsed: boolean;
  /** What the vendor names as fixed by this version and not by the one before. */
  readonly fixes: readonly string[];
}

/** Describes an open step on the way to `end`. All three are places. */
export function hopOf(edges: Edges, from: number, to: number, end: number): Hop {
  const { lineup, site } = edges;
  const node = lineup.nodes[to] as GraphNode;
  const notDirect = to === end ? [] : againstStep(edges, from, end);
  const isStop = notDirect.some(obstacle => obstacle.kind === 'required-stop' && obstacle.oneOf.includes(node.version));
  const known = new Set(lineup.nodes[from]?.cves);
  const hop = {
    from: lineup.text(from),
    to: lineup.text(to),
    why: to === end ? ('destination' as const) : isStop ? ('required-stop' as const) : ('on-the-way' as const),
    notDirect,
    risks: edges.risksOf(from, to),
    pointsOfNoReturn: pointsOfNoReturn(lineup, from, to),
    isRehearsed: edges.isRehearsed(from, to),
    fixes: node.cves.filter(cve => !known.has(cve)),
  };
  return isOlder(site.agentVersion, node.minAgent) ? { ...hop, agentFirst: node.minAgent } : hop;
}

/** Also those that are jumped over: what they have changed, what comes after them has changed too. */
function pointsOfNoReturn(lineup: Lineup, from: number, to: number): readonly string[] {
  const passed = lineup.nodes.slice(from + 1, to + 1);
  return passed.filter(node => node?.irreversible).map(node => (node as GraphNode).version);
}

/** An agent whose version cannot be read counts as older. */
function isOlder(agent: string, needed: string | undefined): needed is string {
  return needed !== undefined && (!parseVersion(agent) || compareVersions(agent, needed) < 0);
}
