// Inventories and plans for tests of the pure parts: a small cluster in one line, changed where a test needs it.

import { cephDriver } from '../../agent/drivers/ceph/driver.ts';
import { microosDriver } from '../../agent/drivers/microos/driver.ts';
import { novaDriver } from '../../agent/drivers/nova/driver.ts';
import { quorumDriver } from '../../agent/drivers/quorum/driver.ts';
import type { Inventory, Node } from '../../agent/model/inventory.ts';
import type { Plan, TargetRelease } from '../../agent/model/plan.ts';
import { planHash } from '../../agent/plan/check.ts';
import { makePlan, type PlanningRule } from '../../agent/plan/planner.ts';
import type { Driver } from '../../agent/sdk/index.ts';
import { DEFAULT_WORLD, World, type WorldOptions } from '../../agent/simulated/world.ts';

export const OLD_IMAGE = '1'.repeat(64);
export const TARGET = {
  version: '5.2.0',
  manifest: 'a'.repeat(64),
  image: '2'.repeat(64),
} as const satisfies TargetRelease;

/** The default world, booted into the old image, as the drivers see it. */
export function inventory(change: Partial<Inventory> = {}): Inventory {
  const world = bootedWorld();
  return { ...world.inventory(), probe: { made: 0, failed: 0, longestStallMs: 0 }, ...change };
}

export function bootedWorld(change: Partial<WorldOptions> = {}): World {
  const world = new World({ ...DEFAULT_WORLD, ...change });
  for (const { id } of world.inventory().nodes) world.booted(id, { digest: OLD_IMAGE, version: '5.1.0' });
  world.advance(10_000);
  return world;
}

/** The real drivers on a world in this process, every order in a list. */
export function driversOn(world: World, orders: string[] = []): readonly Driver[] {
  const look = async () => ({ ...world.inventory(), probe: { made: 0, failed: 0, longestStallMs: 0 } });
  const obey = (epoch: number, name: string, carryOut: () => void) => {
    if (!world.acceptsEpoch(epoch)) throw new Error('older epoch');
    orders.push(name);
    carryOut();
  };
  return [
    novaDriver({
      inspect: look,
      enable: async (host, on, epoch) => obey(epoch, `compute ${host} ${on}`, () => world.setCompute(host, on)),
      migrate: async (vm, to, epoch) => obey(epoch, `migrate ${vm} ${to}`, () => world.migrate(vm, to)),
    }),
    cephDriver({
      inspect: look,
      setNoout: async (host, on, epoch) => obey(epoch, `noout ${host} ${on}`, () => world.setNoout(host, on)),
    }),
    quorumDriver({ inspect: look }),
    microosDriver({
      inspect: look,
      reboot: async (node, bootId, epoch) => obey(epoch, `reboot ${node}`, () => world.reboot(node, bootId)),
    }),
  ];
}

export const RULES: readonly PlanningRule[] = driversOn(new World());

export function planFor(from: Inventory, rules: readonly PlanningRule[] = RULES): { plan: Plan; hash: string } {
  const plan = makePlan(from, TARGET, rules);
  return { plan, hash: planHash(plan) };
}

/** The inventory with some nodes changed. */
export function withNodes(base: Inventory, change: (node: Node) => Partial<Node>): Inventory {
  return { ...base, nodes: base.nodes.map(node => ({ ...node, ...change(node) })) };
}
