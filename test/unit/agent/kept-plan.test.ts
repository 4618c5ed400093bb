// The plan that is shown: the same while it fits, another one when it does not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeptPlan } from '../../../agent/plan/kept-plan.ts';
import { inventory, RULES, TARGET, withNodes } from '../../support/cluster.ts';

const MINUTE = 60_000;

test('machines that move change no plan that is shown, while it fits', () => {
  const kept = new KeptPlan(RULES);
  const base = inventory();
  const { hash } = kept.for(base, TARGET, [], 0);
  const moved = { ...base, vms: base.vms.map((vm, i) => (i === 0 ? { ...vm, host: 'c4' } : vm)) };
  assert.notEqual(new KeptPlan(RULES).for(moved, TARGET, [], 0).hash, hash, 'planned anew, it would be another');
  assert.equal(kept.for(moved, TARGET, [], MINUTE).hash, hash);
});

test('after five minutes, for another release, for nodes that failed or came: planned anew', () => {
  const base = inventory();
  const fresh = () => {
    const kept = new KeptPlan(RULES);
    return { kept, hash: kept.for(base, TARGET, [], 0).hash };
  };
  const moved = { ...base, vms: base.vms.map((vm, i) => (i === 0 ? { ...vm, host: 'c4' } : vm)) };
  const { kept: old, hash } = fresh();
  assert.notEqual(old.for(moved, TARGET, [], 6 * MINUTE).hash, hash);
  const { kept: other } = fresh();
  assert.notEqual(other.for(base, { ...TARGET, manifest: 'b'.repeat(64) }, [], 0).hash, hash);
  const { kept: failing } = fresh();
  assert.equal(failing.for(base, TARGET, ['b2'], 0).plan.waves[0]?.nodes[0], 'b2');
  const { kept: growing } = fresh();
  const [first] = base.nodes;
  const more = { ...base, nodes: [...base.nodes, { ...(first as NonNullable<typeof first>), id: 'd1', rack: 'd' }] };
  assert.ok(growing.for(more, TARGET, [], 0).plan.turns.some(({ node }) => node === 'd1'));
});

test('a plan that waits is made anew each time: what it waits for may be over', () => {
  const kept = new KeptPlan(RULES);
  const base = inventory();
  const thin = { ...base, placementGroups: base.placementGroups.map(g => ({ ...g, active: g.active.slice(0, 2) })) };
  assert.notDeepEqual(kept.for(thin, TARGET, [], 0).objections, []);
  assert.deepEqual(kept.for(base, TARGET, [], 1).objections, []);
});

test('a node that went down since is found by the linter, and left out of the next plan', () => {
  const kept = new KeptPlan(RULES);
  const base = inventory();
  kept.for(base, TARGET, [], 0);
  const down = withNodes(base, node => (node.id === 'c3' ? { power: 'down' } : {}));
  assert.deepEqual(
    kept.for(down, TARGET, [], 1).plan.leftOut.map(({ node }) => node),
    ['c3'],
  );
});
