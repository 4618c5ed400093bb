// The executor against the model, in this process: it finishes, keeps what it promises, and takes up what a dead one left
// at every single write.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Change, Coordination, Leadership } from '../../../agent/coordination/coordination.ts';
import { observe } from '../../../agent/inventory/observe.ts';
import { NODE_STATES, NODE_TRANSITIONS } from '../../../agent/lifecycle/node.ts';
import type { Inventory } from '../../../agent/model/inventory.ts';
import { makePlan } from '../../../agent/plan/planner.ts';
import { Executor, failedNodes } from '../../../agent/run/executor.ts';
import type { World } from '../../../agent/simulated/world.ts';
import { bootedWorld, driversOn, inventory, OLD_IMAGE, planFor, TARGET } from '../../support/cluster.ts';
import { rejectsWith } from '../../support/errors.ts';

const TICK_MS = 100;

class Died extends Error {}

/** Coordination in memory that dies when it is told to: before or after its n-th commit. */
function memory(): Coordination & { dieAt?: { commit: number; after: boolean }; commits: number } {
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
  } as ReturnType<typeof memory>;
  return store;
}

interface Run {
  readonly world: World;
  readonly orders: string[];
  readonly coordination: ReturnType<typeof memory>;
  nowMs: number;
}

function newRun(): Run {
  return { world: bootedWorld(), orders: [], coordination: memory(), nowMs: 0 };
}

async function lead(run: Run): Promise<Executor> {
  return Executor.take({
    coordination: run.coordination,
    leadership: await run.coordination.campaign(),
    drivers: driversOn(run.world, run.orders),
    rebootTimeoutMs: 60_000,
    now: () => run.nowMs,
    onCompleted: () => [],
  });
}

/** Lets the cluster live for a moment: time passes, nodes that wait for an image get the new one. */
function live(run: Run, digest: string = TARGET.image): void {
  run.nowMs += TICK_MS;
  run.world.advance(TICK_MS);
  for (const node of run.world.booting()) run.world.booted(node, { digest, version: '5.2.0' });
}

async function look(run: Run): Promise<Inventory> {
  return observe(driversOn(run.world));
}

/** Ticks until it ends; a leader that dies is replaced. `check` sees every moment. */
async function toEnd(run: Run, check: () => void = () => undefined): Promise<Executor> {
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

function assertEnd(run: Run, leader: Executor): void {
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

test('a rollover ends with every node on the new image, rebooted once, and nothing left behind', async () => {
  const run = newRun();
  const leader = await toEnd(run, () => assert.deepEqual(run.world.failing(), [], 'a client would have noticed'));
  assertEnd(run, leader);
});

test('a leader that dies before or after any commit is taken up: the end is the same, and no client notices', async () => {
  const whole = newRun();
  await toEnd(whole);
  const commits = whole.coordination.commits;
  assert.ok(commits > 60);
  for (let commit = 1; commit <= commits; commit++) {
    for (const after of [false, true]) {
      const run = newRun();
      run.coordination.dieAt = { commit, after };
      const leader = await toEnd(run, () =>
        assert.deepEqual(run.world.failing(), [], `commit ${commit}, after: ${after}`),
      );
      assertEnd(run, leader);
    }
  }
});

test('orders of an older epoch are refused by the cluster', async () => {
  const run = newRun();
  const old = await lead(run);
  await old.begin(planFor(await look(run)).plan, await look(run));
  const next = await lead(run);
  await next.tick(await look(run));
  live(run);
  await next.tick(await look(run));
  const before = run.orders.length;
  await old.tick(await look(run));
  await old.tick(await look(run));
  assert.equal(run.orders.length, before);
});

test('a node that boots another image stops the rollover and is named', async () => {
  const run = newRun();
  const leader = await lead(run);
  await leader.begin(planFor(await look(run)).plan, await look(run));
  for (let tick = 0; tick < 200; tick++) {
    await leader.tick(await look(run));
    live(run, OLD_IMAGE);
  }
  const { rollover, records } = leader.view();
  assert.equal(rollover?.status, 'blocked');
  assert.match(rollover?.reason ?? '', /a1 has failed/);
  assert.equal(
    [...records.values()].filter(record => record.state !== 'active').length,
    1,
    'only the canary was touched',
  );
});

test('a node that does not come back stops the rollover; when it comes back after all, it goes on', async () => {
  const run = newRun();
  const leader = await lead(run);
  await leader.begin(planFor(await look(run)).plan, await look(run));
  for (let tick = 0; tick < 900; tick++) {
    await leader.tick(await look(run));
    run.nowMs += TICK_MS;
    run.world.advance(TICK_MS);
  }
  assert.equal(leader.view().rollover?.status, 'blocked');
  live(run);
  const end = await toEnd(run);
  assertEnd(run, end);
});

test('an agent that dies before it ordered a reboot looks again: what came back is drained again, what is unsafe waits', async () => {
  const run = newRun();
  const leader = await lead(run);
  await leader.begin(planFor(await look(run)).plan, await look(run));
  while (leader.view().records.get('a1')?.state !== 'stopping') {
    await leader.tick(await look(run));
    live(run);
  }
  const next = await lead(run);
  const thin = async () => {
    const seen = await look(run);
    return { ...seen, placementGroups: seen.placementGroups.map(g => ({ ...g, active: g.active.slice(0, 2) })) };
  };
  for (let i = 0; i < 5; i++) await next.tick(await thin());
  assert.ok(!run.orders.includes('reboot a1'), 'it waits while it is unsafe');
  run.world.setCompute('a1', true);
  await next.tick(await look(run));
  assert.equal(next.view().records.get('a1')?.state, 'draining');
  assertEnd(run, await toEnd(run, () => assert.deepEqual(run.world.failing(), [])));
});

test('a node that failed on a bad release is tried again first with the next one, and the cluster goes on', async () => {
  const run = newRun();
  const leader = await lead(run);
  const bad = { ...TARGET, version: '5.1.9', manifest: 'b'.repeat(64), image: '9'.repeat(64) };
  await leader.begin(makePlan(await look(run), bad, driversOn(run.world)), await look(run));
  for (let tick = 0; tick < 200; tick++) {
    await leader.tick(await look(run));
    live(run, OLD_IMAGE);
  }
  assert.equal(leader.view().rollover?.status, 'blocked');
  const plan = makePlan(await look(run), TARGET, driversOn(run.world), {
    failed: failedNodes(leader.view().records),
  });
  assert.deepEqual(plan.waves[0]?.nodes, ['a1']);
  assert.deepEqual(plan.waitsFor, []);
  await leader.begin(plan, await look(run));
  assert.equal(leader.view().records.get('a1')?.release, TARGET.manifest, 'the boot service hands out the new release');
  const end = await toEnd(run, () => assert.deepEqual(run.world.failing(), []));
  assert.ok(run.world.inventory().nodes.every(node => node.image === TARGET.image));
  assert.deepEqual(end.view().effects, []);
  assert.deepEqual(run.world.inventory().noout, []);
});

test('draining a whole rack overbooks no host, however little room there is', async () => {
  const run = { ...newRun(), world: bootedWorld({ nodeMemoryMb: 26_624 }) };
  const leader = await lead(run);
  await leader.begin(planFor(await look(run)).plan, await look(run));
  const end = await toEnd(run, () => {
    const { computes, vms } = run.world.inventory();
    for (const { node, memoryMb } of computes) {
      const used = vms
        .filter(vm => vm.host === node || vm.migratingTo === node)
        .reduce((sum, vm) => sum + vm.memoryMb, 0);
      assert.ok(used <= memoryMb, `${node} has ${used} of ${memoryMb} MB`);
    }
  });
  assertEnd(run, end);
});

test('the journal goes on after a restart where it was, also when old entries have been dropped', async () => {
  const run = newRun();
  const values = new Map<string, unknown>([['journal/000020999', { at: 1, epoch: 1, text: 'old' }]]);
  const leadership = await run.coordination.campaign();
  const options = {
    coordination: run.coordination,
    leadership,
    drivers: [],
    rebootTimeoutMs: 1,
    now: () => 2,
    onCompleted: () => [],
  };
  const executor = new Executor(options, values);
  await executor.record([], 'new');
  assert.deepEqual(
    executor.view().journal.map(entry => entry.text),
    ['old', 'new'],
  );
});

test('what becomes unsafe between admitting and stopping makes it wait', async () => {
  const run = newRun();
  const leader = await lead(run);
  await leader.begin(planFor(await look(run)).plan, await look(run));
  for (let tick = 0; tick < 40; tick++) {
    const seen = await look(run);
    await leader.tick({
      ...seen,
      placementGroups: seen.placementGroups.map(g => ({ ...g, active: g.active.slice(0, 2) })),
    });
    live(run);
  }
  assert.match(leader.view().rollover?.reason ?? '', /placement group/);
  assert.deepEqual(Object.values(run.world.boots()), Array(12).fill(1));
});

test('a plan that waits for something cannot be started', async () => {
  const run = newRun();
  const leader = await lead(run);
  const { plan } = planFor(inventory());
  await rejectsWith('plan-blocked', () => leader.begin({ ...plan, waitsFor: ['rain'] }, inventory()));
  await leader.begin(plan, inventory());
  await rejectsWith('rollover-running', () => leader.begin(plan, inventory()));
});

test('the table of node states leads from every state to an end, and names only states', () => {
  for (const from of NODE_STATES) {
    for (const to of Object.keys(NODE_TRANSITIONS[from])) assert.ok((NODE_STATES as readonly string[]).includes(to));
    const reached = new Set<string>([from]);
    for (const state of reached) for (const to of Object.keys(NODE_TRANSITIONS[state as typeof from])) reached.add(to);
    assert.ok(reached.has('removed') || reached.has('active'), from);
  }
});
