// The executor against the model, in this process: it finishes, keeps what it promises, and takes up what a dead one left
// at every single write.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NODE_STATES, NODE_TRANSITIONS } from '../../../agent/lifecycle/node.ts';
import { makePlan } from '../../../agent/plan/planner.ts';
import { Executor, failedNodes } from '../../../agent/run/executor.ts';
import { bootedWorld, driversOn, inventory, OLD_IMAGE, planFor, TARGET } from '../../support/cluster.ts';
import { rejectsWith } from '../../support/errors.ts';
import { assertEnd, lead, live, look, newRun, TICK_MS, toEnd } from '../../support/executor-run.ts';

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
  assert.equal(next.view().records.get('a1')?.state, 'stopping', 'the order of the one that died may still arrive');
  run.nowMs += 60_000;
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
    leadership,
    drivers: [],
    rebootTimeoutMs: 1,
    now: () => 2,
    elapsedMs: () => 2,
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
