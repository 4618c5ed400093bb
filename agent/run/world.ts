// What a round of a rollover is decided by.
import type { RolloverStatus } from '../lifecycle/rollover.ts';
import type { Inventory, NodeId } from '../model/inventory.ts';
import type { Plan } from '../model/plan.ts';
import type { NodeRecord } from '../model/rollover.ts';
import type { Driver } from '../sdk/index.ts';

export interface World {
  readonly status: RolloverStatus;
  readonly inventory: Inventory;
  readonly plan: Plan;
  readonly records: ReadonlyMap<NodeId, NodeRecord>;
  readonly drivers: readonly Driver[];
  readonly nowMs: number;
  /** Since an order to a node may have been sent for the last time, by this leader or by the one before; milliseconds. */
  quietMs(node: NodeId): number;
  readonly rebootTimeoutMs: number;
}
