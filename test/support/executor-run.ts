// The executor against the model, in this process, with a leader that dies when it is told to.
import assert from 'node:assert/strict';
import type { Change, Coordination, Leadership } from '../../agent/coordination/coordination.ts';
import { observe } from '../../agent/inventory/observe.ts';
import type { Inventory } from '../../agent/model/inventory.ts';
import { Executor } from '../../agent/run/executor.ts';
import type { World } from '../../agent/simulated/world.ts';
import { bootedWorld, driversOn, planFor, TARGET } from './cluster.ts';

export const TICK_MS = 100;

export class Died extends Error {}

/** Coordination in memory that dies when it is told to: before or after its n-th commit. */
function mortal(): Coordination & { dieAt?: { commit: number; after: boolean }; commits: number } {
  const values = new Map<string, unknown>();
  let epoch = 0;
  const store = {
    commits: 0,
    async campaign(): Promise<Leadership> {
      const mine = ++epoch;
      const commit = async (changes: readonly Change[]) => {
        const dies = ++store.commits === store.dieAt?.commit;
        if (dies && !store.dieAt?.after) throw new Died();
        for (const change of changes) {
          if (change.op === 'put') values.set(change.key, structuredClone(change.value));
          else values.delete(change.key);
        }
        if (dies) throw new Died();
      };
      return { epoch: mine, lost: new AbortController().signal, commit };
    },
    read: async (prefix: string) => new Map([...values].filter(([key]) => key.startsWith(prefix))),
    close: async () => undefined,
  } as ReturnType<typeof mortal>;
  return store;
}

export interface Run {
  readonly world: World;
  readonly orders: string[];
  readonly coordination: ReturnType<typeof mortal>;
  nowMs: number;
}

export function newRun(): Run {
  return { world: bootedWorld(), orders: [], coordination: mortal(), nowMs: 0 };
}

export async function lead(run: Run): Promise<Executor> {
  return Executor.lead(run.coordination, {
    drivers: driversOn(run.world, run.orders),
    rebootTimeoutMs: 60_000,
    now: () => run.nowMs,
    elapsedMs: () => run.nowMs,
    onCompleted: () => [],
  });
}

/** Lets the cluster live for a moment: time passes, nodes that wait for an image get the new one. */
export function live(run: Run, digest: string = TARGET.image): void {
  run.nowMs += TICK_MS;
  run.world.advance(TICK_MS);
  for (const node of run.world.booting()) run.world.booted(node, { digest, version: '5.2.0' });
}

export async function look(run: Run): Promise<Inventory> {
  return observe(driversOn(run.world));
}

/** Ticks until it ends; a leader that dies is replaced. `check` sees every moment. */
export async function toEnd(run: Run, check: () => void = () => undefined): Promise<Executor> {
  let leader = await lead(run);
  for (let tick = 0; tick < 5000; tick++) {
    try {
      if (!leader.view().rollover) await leader.begin(planFor(await look(run)).plan, await look(run));
      await leader.tick(await look(run));
      if (leader.view().rollover?.status === 'completed') return leader;
    } catch (error) {
      if (!(error instanceof Died)) throw error;
      leader = await lead(run);
    }
    live(run);
    check();
  }
  throw new Error(`it does not end: ${leader.view().rollover?.reason}`);
}

export function assertEnd(run: Run, leader: Executor): void {
  const { nodes, noout, computes } = run.world.inventory();
  assert.ok(nodes.every(node => node.image === TARGET.image && node.power === 'up'));
  assert.deepEqual(noout, [], 'no noout is left');
  assert.ok(
    computes.every(compute => compute.enabled),
    'no compute service is left disabled',
  );
  assert.deepEqual(leader.view().effects, []);
  assert.ok([...leader.view().records.values()].every(record => record.state === 'active'));
  for (const [node, boots] of Object.entries(run.world.boots()))
    assert.equal(boots, 2, `${node} booted ${boots} times`);
}
