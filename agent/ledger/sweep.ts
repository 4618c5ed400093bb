// What is left of a node's turn once it is in service again. An order may arrive a second time, or late: effects are owned until
// nothing can be on its way any more, and what comes back until then is taken back once more. Pure.
import type { Inventory, NodeId } from '../model/inventory.ts';
import type { NodeRecord, OwnedEffect } from '../model/rollover.ts';
import type { Driver } from '../sdk/index.ts';

/** An order is given up after seconds; for so long it may still arrive. */
export const ORDER_LIFE_MS = 20_000;

export interface Sweep {
  /** To be taken back again. */
  readonly owing: readonly { readonly node: NodeId; readonly driver: Driver }[];
  /** Nodes of which nothing is owned any more. */
  readonly clean: readonly NodeId[];
}

export interface SweepScene {
  readonly effects: readonly OwnedEffect[];
  readonly records: ReadonlyMap<NodeId, NodeRecord>;
  readonly inventory: Inventory;
  readonly drivers: readonly Driver[];
  /** Since the last order that concerned a node; milliseconds. */
  quietMs(node: NodeId): number;
}

export function sweep({ effects, records, inventory, drivers, quietMs }: SweepScene): Sweep {
  const back = new Set(effects.map(({ node }) => node).filter(node => isInService(records.get(node))));
  const owing = [...back].flatMap(node =>
    drivers.filter(driver => !driver.undrained(inventory, node).ok).map(driver => ({ node, driver })),
  );
  const dirty = new Set(owing.map(({ node }) => node));
  return { owing, clean: [...back].filter(node => !dirty.has(node) && quietMs(node) >= ORDER_LIFE_MS) };
}

/** Effects that are owned while the node is out, or because it is not known whether they are gone. */
export function isInService(record: NodeRecord | undefined): boolean {
  return (record?.state ?? 'active') === 'active';
}
