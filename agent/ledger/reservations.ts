// What is reserved and what is owed: nothing acts without a reservation, and every effect is written down before it is
// made. Pure: these are changes for a commit of the leader.
import type { Change } from '../coordination/coordination.ts';
import type { NodeId } from '../model/inventory.ts';
import type { OwnedEffect, Reservation } from '../model/rollover.ts';
import type { Driver } from '../sdk/index.ts';

/** Keys of the coordination store that this room owns. */
export const ledgerKeys = {
  reservation: (node: NodeId) => `reservations/${node}`,
  effect: (driver: string, node: NodeId, index: number) => `effects/${driver}.${node}.${index}`,
} as const;

/** Takes a node out of service: its reservation, and the effects that draining it will make. */
export function reserve(drivers: readonly Driver[], node: NodeId, plan: string, epoch: number): readonly Change[] {
  const reservation: Reservation = { node, plan, epoch };
  const changes: Change[] = [{ op: 'put', key: ledgerKeys.reservation(node), value: reservation }];
  for (const driver of drivers) {
    driver.effects(node).forEach(({ what }, index) => {
      const effect: OwnedEffect = { driver: driver.name, node, what, epoch };
      changes.push({ op: 'put', key: ledgerKeys.effect(driver.name, node, index), value: effect });
    });
  }
  return changes;
}

/** Gives a node back, in the commit that makes it active. Its effects are owned for a while longer: see `sweep.ts`. */
export function release(node: NodeId): readonly Change[] {
  return [{ op: 'delete', key: ledgerKeys.reservation(node) }];
}

/** Owns nothing on a node any more. */
export function disown(drivers: readonly Driver[], node: NodeId): readonly Change[] {
  return drivers.flatMap(driver =>
    driver
      .effects(node)
      .map((_, index) => ({ op: 'delete' as const, key: ledgerKeys.effect(driver.name, node, index) })),
  );
}
