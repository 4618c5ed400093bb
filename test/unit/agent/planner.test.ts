// Plans: canary first, one failure domain at a time, explained, checked by somebody else, and the same every time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Inventory } from '../../../agent/model/inventory.ts';
import type { Plan, Turn, Wave } from '../../../agent/model/plan.ts';
import { checkPlan, planHash } from '../../../agent/plan/check.ts';
import { makePlan } from '../../../agent/plan/planner.ts';
import { anyCluster } from '../../support/any-cluster.ts';
import { inventory, planFor, RULES, TARGET, withNodes } from '../../support/cluster.ts';

test('twelve nodes in three racks: a canary, growth within its rack, then a rack at a time', () => {
  const { plan } = planFor(inventory());
  assert.deepEqual(
    plan.waves.map(wave => wave.nodes.length),
    [1, 2, 1, 4, 4],
  );
  assert.deepEqual(
    plan.waves.map(wave => wave.rack),
    ['a', 'a', 'a', 'b', 'c'],
  );
  assert.deepEqual(plan.waitsFor, []);
  assert.deepEqual(checkPlan(plan, inventory()), []);
  assert.ok(plan.etaMs >= plan.lowerBoundMs);
  assert.ok(plan.bandMs[0] <= plan.etaMs && plan.etaMs <= plan.bandMs[1]);
  for (const { safety } of plan.waves) assert.match(safety.join('; '), /virtual machine.*min_size.*majority/);
});

test('while one wave reboots, the next is emptied', () => {
  const { turns } = planFor(inventory()).plan;
  const rackOf = (node: string) => node.slice(0, 1);
  const firstOfB = turns.find(({ node }) => rackOf(node) === 'b');
  const lastOfA = turns.findLast(({ node }) => rackOf(node) === 'a');
  assert.ok(firstOfB && lastOfA && firstOfB.drainMs < lastOfA.backMs && firstOfB.stopMs >= lastOfA.wholeMs);
});

test('the same cluster gives the same plan, byte for byte', () => {
  assert.equal(planFor(inventory()).hash, planFor(inventory()).hash);
});

test('what already runs the release is left alone', () => {
  const half = withNodes(inventory(), node => (node.rack === 'a' ? { image: TARGET.image } : {}));
  assert.ok(planFor(half).plan.waves.every(wave => wave.rack !== 'a'));
  const all = withNodes(inventory(), () => ({ image: TARGET.image }));
  assert.deepEqual(planFor(all).plan.waves, []);
});

test('placement groups without spare replicas: no node may go, and the plan says which group it waits for', () => {
  const base = inventory();
  const thin = { ...base, placementGroups: base.placementGroups.map(g => ({ ...g, active: g.active.slice(0, 2) })) };
  const { plan } = planFor(thin);
  assert.match(plan.waitsFor.join(), /placement group 1\.0 would have 1 of at least 2 replicas/);
});

test('two members of a quorum in one rack: its nodes go in two waves', () => {
  const base = inventory({ quorums: [{ name: 'galera', members: ['b1', 'b2', 'c1'], up: ['b1', 'b2', 'c1'] }] });
  const { plan } = planFor(base);
  for (const { nodes } of plan.waves) assert.ok(!(nodes.includes('b1') && nodes.includes('b2')));
  assert.deepEqual(checkPlan(plan, base), []);
});

test('virtual machines that fit nowhere: the plan waits and names one of them', () => {
  const base = inventory();
  const full = { ...base, vms: base.vms.map(vm => ({ ...vm, memoryMb: 16_384 })) };
  assert.match(planFor(full).plan.waitsFor.join(), /vm-\d+ \(16384 MB\) would fit on no host/);
});

test('nodes that boot are waited for; a cluster of which nobody is up is not rolled at all', () => {
  const booting = withNodes(inventory(), node => (node.id === 'c3' ? { power: 'booting' } : {}));
  assert.ok(planFor(booting).plan.waitsFor.includes('c3 is booting'));
  assert.deepEqual(planFor(booting).plan.leftOut, []);
  const dark = withNodes(inventory(), () => ({ power: 'down' }));
  assert.ok(planFor(dark).plan.waitsFor.includes('c3 is not up'));
});

test('a node that is down is left out, by name, and blocks only what depends on it', () => {
  const broken = withNodes(inventory(), node => (node.id === 'c3' ? { power: 'down' } : {}));
  const { plan } = planFor(broken);
  assert.deepEqual(plan.leftOut, [{ node: 'c3', reason: 'c3 is not up' }]);
  assert.deepEqual(plan.waitsFor, []);
  assert.deepEqual(checkPlan(plan, broken), []);
  const groups = broken.placementGroups.map(group => ({
    ...group,
    active: group.active.filter(host => host !== 'c3'),
  }));
  const worse = { ...broken, placementGroups: groups };
  const rest = planFor(worse).plan;
  const dependent = rest.leftOut.filter(({ node }) => node !== 'c3');
  for (const { reason } of dependent) assert.match(reason, /placement group .* would have 1 of at least 2 replicas/);
  assert.ok(dependent.length > 0 && rest.turns.length > 0);
  assert.deepEqual(rest.waitsFor, []);
  assert.deepEqual(checkPlan(rest, worse), []);
});

test('the linter finds what a planner must never do', () => {
  const base = inventory();
  const { plan } = planFor(base);
  const find = (change: Partial<Plan>, of: Inventory = base) => checkPlan({ ...plan, ...change }, of).join(' ');
  const change = (node: string, by: Partial<Turn>) => ({
    turns: plan.turns.map(turn => (turn.node === node ? { ...turn, ...by } : turn)),
  });
  const [canary, second, ...rest] = plan.waves as [Wave, Wave, ...Wave[]];
  const [first] = plan.turns as [Turn];
  assert.equal(find({}), '');
  assert.match(find({ turns: [...plan.turns, first] }), /taken a second time/);
  assert.match(find({ turns: plan.turns.slice(1) }), /left on an old image/);
  assert.match(
    find({ leftOut: [{ node: 'b1', reason: '' }], turns: plan.turns.filter(t => t.node !== 'b1') }),
    /it could go/,
  );
  assert.match(find({ turns: [...plan.turns, { ...first, node: 'z9' }] }), /not in the cluster/);
  assert.match(find({ waves: [{ ...canary, nodes: [] }, second, ...rest] }), /is empty/);
  assert.match(find({ waves: [second, canary, ...rest] }), /no canary/);
  assert.match(find({ waves: plan.waves.map(wave => ({ ...wave, rack: 'a' })) }), /mixes failure domains/);
  assert.match(find(change('b1', { drainMs: 0, stopMs: first.stopMs })), /another failure domain/);
  assert.match(
    find({ failureDomain: 'host', ...change('b1', { drainMs: 0, stopMs: first.stopMs }) }),
    /below min_size/,
  );
  assert.match(find(change('a2', { stopMs: 0 })), /does not (wait at its gate|go forward)/);
  assert.match(find(change('a2', { wholeMs: 0 })), /does not go forward/);
  assert.match(find({ policy: { ...plan.policy, maxDown: 1 } }), /more than may be down/);
  assert.match(find({ policy: { ...plan.policy, growth: 1 } }), /grows too fast/);
  const quorums = [{ name: 'q', members: ['b1', 'b2', 'b3'], up: ['b1', 'b2', 'b3'] }];
  assert.match(find({}, { ...base, quorums }), /majority from q/);
  const full = { ...base, vms: base.vms.map(vm => ({ ...vm, memoryMb: vm.memoryMb * 3.2 })) };
  assert.match(find({}, full), /too little memory/);
  assert.match(
    find(
      {},
      withNodes(base, node => (node.id === 'b2' ? { power: 'unknown' } : {})),
    ),
    /b2 is not up/,
  );
});

test('whatever the cluster is like: the linter finds nothing in a plan that may start, and no plan beats the bound', () => {
  let started = 0;
  fc.assert(
    fc.property(anyCluster, fc.boolean(), (seen, isDone) => {
      const some = withNodes(seen, node => (isDone && node.rack === 'b' ? { image: TARGET.image } : {}));
      const { plan } = planFor(some);
      if (plan.waitsFor.length > 0) return;
      started++;
      assert.deepEqual(checkPlan(plan, some), []);
      assert.ok(plan.lowerBoundMs <= plan.etaMs);
    }),
    { numRuns: 500 },
  );
  assert.ok(started > 5, `${started} plans could start`);
});

test('another release, another plan', () => {
  const base = inventory();
  const other = makePlan(base, { ...TARGET, version: '5.3.0' }, RULES);
  assert.notEqual(planHash(other), planFor(base).hash);
});
