// Plans: canary first, one failure domain at a time, explained, checked by somebody else, and the same every time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkPlan, planHash } from '../../../agent/plan/check.ts';
import { makePlan } from '../../../agent/plan/planner.ts';
import { inventory, planFor, RULES, TARGET, withNodes } from '../../support/cluster.ts';

test('twelve nodes in three racks: a canary, growth within its rack, then a rack at a time', () => {
  const { plan } = planFor(inventory());
  assert.deepEqual(
    plan.batches.map(batch => batch.nodes.length),
    [1, 2, 1, 4, 4],
  );
  assert.deepEqual(
    plan.batches.map(batch => batch.rack),
    ['a', 'a', 'a', 'b', 'c'],
  );
  assert.deepEqual(plan.waitsFor, []);
  assert.deepEqual(checkPlan(plan, inventory()), []);
  assert.ok(plan.etaMs >= plan.lowerBoundMs);
  for (const batch of plan.batches) assert.equal(batch.safety.length, RULES.length);
});

test('the same cluster gives the same plan, byte for byte', () => {
  assert.equal(planFor(inventory()).hash, planFor(inventory()).hash);
});

test('what already runs the release is left alone', () => {
  const half = withNodes(inventory(), node => (node.rack === 'a' ? { image: TARGET.image } : {}));
  assert.ok(planFor(half).plan.batches.every(batch => batch.rack !== 'a'));
  const all = withNodes(inventory(), () => ({ image: TARGET.image }));
  assert.deepEqual(planFor(all).plan.batches, []);
});

test('placement groups without spare replicas: no node may go, and the plan says which group it waits for', () => {
  const base = inventory();
  const thin = { ...base, placementGroups: base.placementGroups.map(g => ({ ...g, active: g.active.slice(0, 2) })) };
  const { plan } = planFor(thin);
  assert.match(plan.waitsFor.join(), /placement group 1\.0 would have 1 of at least 2 replicas/);
});

test('two groups members of one rack: the batch shrinks until a majority stays', () => {
  const base = inventory({ quorums: [{ name: 'galera', members: ['b1', 'b2', 'c1'], up: ['b1', 'b2', 'c1'] }] });
  const { plan } = planFor(base);
  for (const { nodes } of plan.batches) assert.ok(!(nodes.includes('b1') && nodes.includes('b2')));
  assert.deepEqual(checkPlan(plan, base), []);
});

test('virtual machines that fit nowhere: the plan waits and names one of them', () => {
  const base = inventory();
  const full = { ...base, vms: base.vms.map(vm => ({ ...vm, memoryMb: 16_384 })) };
  assert.match(planFor(full).plan.waitsFor.join(), /vm-\d+ \(16384 MB\) would fit on no host/);
});

test('a node that is down blocks, by name', () => {
  const broken = withNodes(inventory(), node => (node.id === 'c3' ? { power: 'down' } : {}));
  assert.match(planFor(broken).plan.waitsFor.join(), /c3 is not up/);
});

test('the linter finds what a planner must never do', () => {
  const base = inventory();
  const { plan } = planFor(base);
  const [canary, second, ...rest] = plan.batches as [
    (typeof plan.batches)[0],
    (typeof plan.batches)[0],
    ...typeof plan.batches,
  ];
  const find = (batches: typeof plan.batches) => checkPlan({ ...plan, batches }, base).join(' ');
  assert.match(find([canary, second, ...rest, canary]), /a second time/);
  assert.match(find([canary, second]), /left on an old image/);
  assert.match(find([{ ...canary, nodes: ['a1', 'b1'] }, second, ...rest]), /mixes failure domains.*below min_size/);
  assert.match(find([{ ...canary, nodes: ['z9'] }, second, ...rest]), /not in the cluster/);
  assert.match(find([{ ...canary, nodes: [] }, second, ...rest]), /is empty/);
  assert.match(find([second, canary, ...rest]), /no canary/);
  const quorum = { ...base, quorums: [{ name: 'q', members: ['b1', 'b2', 'b3'], up: ['b1', 'b2', 'b3'] }] };
  assert.match(checkPlan(plan, quorum).join(' '), /majority from q/);
});

test('another release, another plan', () => {
  const base = inventory();
  const other = makePlan(base, { ...TARGET, version: '5.3.0' }, RULES);
  assert.notEqual(planHash(other), planFor(base).hash);
});
