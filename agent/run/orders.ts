// The orders of a round go out together; one that fails is tried again in the next round. Remembers when the last one went to a
// node: it may still be on its way when its answer is not.
import type { Leadership } from '../coordination/coordination.ts';
import { agentError } from '../errors.ts';
import type { Inventory, NodeId } from '../model/inventory.ts';
import type { TargetRelease } from '../model/plan.ts';
import type { NodeRecord } from '../model/rollover.ts';
import type { Call } from './node-step.ts';
import type { TaskCall } from './task-step.ts';

/** What the orders of a round are given with. */
export interface OrderScene {
  readonly inventory: Inventory;
  readonly out: ReadonlySet<NodeId>;
  readonly target: TargetRelease;
  readonly records: ReadonlyMap<NodeId, NodeRecord>;
}

export class Orders {
  readonly #leadership: Leadership;
  readonly #elapsedMs: () => number;
  readonly #begunAtMs: number;
  readonly #orderedAtMs = new Map<NodeId, number>();

  /** @param elapsedMs a clock that never jumps */
  constructor(leadership: Leadership, elapsedMs: () => number) {
    this.#leadership = leadership;
    this.#elapsedMs = elapsedMs;
    this.#begunAtMs = elapsedMs();
  }

  /** Since an order that concerns this node may have gone out, by this leader or by one before it; milliseconds. */
  quietMs(node: NodeId): number {
    return this.#elapsedMs() - (this.#orderedAtMs.get(node) ?? this.#begunAtMs);
  }

  /**
   * Sends them, and waits for all answers. Returns a sentence for each that failed.
   *
   * @throws `stale-epoch` when another agent may lead
   */
  async send(calls: readonly (Call | TaskCall)[], scene: OrderScene): Promise<readonly string[]> {
    if (this.#leadership.lost.aborted) throw agentError('stale-epoch', 'Another agent may lead now.');
    const results = await Promise.allSettled(calls.map(call => this.#give(call, scene)));
    return results.flatMap((result, i) => {
      if (result.status === 'fulfilled') return [];
      const call = calls[i] as Call | TaskCall;
      const what = call.kind === 'task' ? call.name : `${call.kind} ${call.nodes.join(', ')}`;
      return [`${call.driver.name} could not ${what}: ${(result.reason as Error).message}`];
    });
  }

  async #give(call: Call | TaskCall, { inventory, out, target, records }: OrderScene): Promise<void> {
    const { driver } = call;
    const order = { epoch: this.#leadership.epoch };
    if (call.kind !== 'task') for (const node of call.nodes) this.#orderedAtMs.set(node, this.#elapsedMs());
    if (call.kind === 'task') return driver.perform?.(call.name, target, order);
    if (call.kind === 'drain') return driver.drain(inventory, call.nodes, out, order);
    for (const node of call.nodes) {
      if (call.kind === 'undrain') await driver.undrain(node, order);
      else await driver.apply(node, target, { ...order, bootId: records.get(node)?.bootIdBefore ?? '' });
    }
  }
}
