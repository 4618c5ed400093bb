// Model clusters of any size for planning: racks, placement groups over racks or over hosts, virtual machines. Each from a seed.
import type { Inventory, Node, PlacementGroup, Vm } from '../../../agent/model/inventory.ts';
import { randomFrom } from '../../support/killing.ts';

export const MINUTE = 60_000;
const HOST_MB = 262_144;
const MACHINES_PER_HOST = 16;
const MINUTES = { drain: 5, reboot: 10, recovery: 5 } as const;

export interface ClusterSize {
  readonly nodes: number;
  readonly racks: number;
  readonly groups: number;
  /** Empty hosts, spread over the racks; all others are full. */
  readonly spare: number;
  /** What keeps replicas apart. */
  readonly domain: 'rack' | 'host';
}

export function clusterOf({ nodes: count, racks, groups, spare, domain }: ClusterSize, seed: number): Inventory {
  const random = randomFrom(seed);
  const perRack = count / racks;
  const nodes: Node[] = Array.from({ length: count }, (_, i) => {
    const rack = `r${String(Math.floor(i / perRack)).padStart(3, '0')}`;
    return { id: `n${String(i).padStart(5, '0')}`, rack, power: 'up', bootId: `b${i}`, image: 'old', version: '5.1.0' };
  });
  const empty = new Set(Array.from({ length: spare }, (_, i) => nodes[Math.floor((i * count) / spare)]?.id));
  return {
    simulated: true,
    nodes,
    placementGroups: Array.from({ length: groups }, (_, i) =>
      groupOf(i, domain === 'rack' ? racks : count, perRack, domain, random, nodes),
    ),
    noout: [],
    quorums: ['ceph-mon', 'zookeeper', 'galera'].map((name, q) => {
      const members = Array.from({ length: 5 }, (_, i) => nodes[Math.floor((i * racks) / 5) * perRack + q]?.id ?? '');
      return { name, members, up: members };
    }),
    computes: nodes.map(({ id }) => ({ node: id, enabled: true, memoryMb: HOST_MB })),
    vms: nodes.flatMap(({ id }) => (empty.has(id) ? [] : machinesOf(id))),
    probe: { made: 0, failed: 0, longestStallMs: 0 },
    estimates: {
      rebootMs: MINUTES.reboot * MINUTE,
      recoveryMs: MINUTES.recovery * MINUTE,
      migrationMbPerSecond: HOST_MB / (MINUTES.drain * 60),
    },
  };
}

function groupOf(
  index: number,
  choices: number,
  perRack: number,
  domain: 'rack' | 'host',
  random: () => number,
  nodes: readonly Node[],
): PlacementGroup {
  const places = new Set<number>();
  while (places.size < 3) places.add(Math.floor(random() * choices));
  const acting = [...places].map(place => {
    const at = domain === 'rack' ? place * perRack + Math.floor(random() * perRack) : place;
    return (nodes[at] as Node).id;
  });
  return { id: `1.${index.toString(16)}`, minSize: 2, acting, active: acting };
}

/** Machines of one size that fill their host. */
function machinesOf(host: string): readonly Vm[] {
  const memoryMb = HOST_MB / MACHINES_PER_HOST;
  return Array.from({ length: MACHINES_PER_HOST }, (_, i) => ({ id: `${host}-vm-${i}`, host, memoryMb }));
}
