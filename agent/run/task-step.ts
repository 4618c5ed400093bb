// Work on the cluster as a whole: before any node goes, and after all are back. One task at a time, in the drivers' order.
import type { Inventory } from '../model/inventory.ts';
import type { Plan, PlannedTask } from '../model/plan.ts';
import type { Driver } from '../sdk/index.ts';

/** A driver goes on with a task. Safe to repeat. */
export interface TaskCall {
  readonly kind: 'task';
  readonly driver: Driver;
  readonly name: string;
}

interface TaskWorld {
  readonly inventory: Inventory;
  readonly plan: Plan;
  readonly drivers: readonly Driver[];
}

/** The first task of a phase that is not done; undefined when all are. */
export function nextTask(
  { inventory, plan, drivers }: TaskWorld,
  phase: PlannedTask['phase'],
): { readonly call: TaskCall; readonly reason: string } | undefined {
  for (const driver of drivers) {
    const open = driver.tasks?.(inventory, plan.target).find(task => task.phase === phase && !task.isDone);
    if (open) return { call: { kind: 'task', driver, name: open.name }, reason: `${driver.name}: ${open.name}.` };
  }
  return undefined;
}
