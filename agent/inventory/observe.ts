// One look at the cluster through every driver. A driver that cannot look makes the whole look fail: nobody acts on half
// an inventory.
import type { Inventory } from '../model/inventory.ts';
import type { Driver } from '../sdk/index.ts';

/** @throws `cluster-unreachable`, and what the drivers throw */
export async function observe(drivers: readonly Driver[]): Promise<Inventory> {
  const parts = await Promise.all(drivers.map(driver => driver.inspect()));
  return Object.assign({}, ...parts) as Inventory;
}
