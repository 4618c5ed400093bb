// Clusters of any shape, for properties: few nodes, so that what depends on each other does so often.
import fc from 'fast-check';
import type { Inventory, PlacementGroup, Quorum, Vm } from '../../agent/model/inventory.ts';
import { inventory } from './cluster.ts';

export const BASE = inventory();
export const IDS = BASE.nodes.map(node => node.id);
export const anyNode = fc.constantFrom(...IDS);
const nodes = (least: number, most: number) => fc.uniqueArray(anyNode, { minLength: least, maxLength: most });

const group: fc.Arbitrary<PlacementGroup> = nodes(2, 4).chain(acting =>
  fc.record({
    id: fc.constant(acting.join('.')),
    minSize: fc.integer({ min: 1, max: acting.length }),
    acting: fc.constant(acting),
    active: fc.subarray(acting),
  }),
);
const quorum: fc.Arbitrary<Quorum> = nodes(1, 5).chain(members =>
  fc.record({ name: fc.constant(members.join('+')), members: fc.constant(members), up: fc.subarray(members) }),
);
const vm: fc.Arbitrary<Omit<Vm, 'id'>> = fc.record(
  { host: anyNode, memoryMb: fc.integer({ min: 1, max: 40_000 }), migratingTo: anyNode },
  { requiredKeys: ['host', 'memoryMb'] },
);
export const anyCluster: fc.Arbitrary<Inventory> = fc
  .record({
    groups: fc.array(group, { maxLength: 12 }),
    quorums: fc.array(quorum, { maxLength: 3 }),
    vms: fc.array(vm, { maxLength: 30 }),
  })
  .map(({ groups, quorums, vms }) => ({
    ...BASE,
    placementGroups: groups,
    quorums,
    vms: vms.map((each, i) => ({ ...each, id: `vm-${i}` })),
  }));
