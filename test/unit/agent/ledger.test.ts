// The ledger: what drivers count node by node is what the plain rule over sets says, nothing is booked twice, and what is given
// back is free again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ledger } from '../../../agent/ledger/ledger.ts';
import type { Inventory, NodeId } from '../../../agent/model/inventory.ts';
import { trackerOf } from '../../../agent/sdk/index.ts';
import { anyCluster, anyNode, BASE, IDS } from '../../support/any-cluster.ts';
import { RULES } from '../../support/cluster.ts';

/** The rules in plain words, over sets: the oracle. */
function mayBeDown({ placementGroups, quorums }: Inventory, down: ReadonlySet<NodeId>): boolean {
  const groupsStay = placementGroups
    .filter(({ acting }) => acting.some(host => down.has(host)))
    .every(({ active, minSize }) => active.filter(host => !down.has(host)).length >= minSize);
  const quorumsStay = quorums
    .filter(({ members }) => members.some(member => down.has(member)))
    .every(({ members, up }) => up.filter(member => !down.has(member)).length > members.length / 2);
  return groupsStay && quorumsStay;
}

test('who may go down, one after the other, is who may be down together', () => {
  fc.assert(
    fc.property(anyCluster, fc.shuffledSubarray(IDS), (seen, order) => {
      const ledger = new Ledger(RULES, seen);
      const down = new Set<NodeId>();
      for (const id of order) {
        const expected = mayBeDown(seen, new Set([...down, id]));
        assert.equal(ledger.mayStop(id).ok, expected, `${id} beside ${[...down]}`);
        if (!expected) continue;
        ledger.stop(id);
        down.add(id);
      }
    }),
    { numRuns: 400 },
  );
});

test('what is whole again is as if it had never gone', () => {
  fc.assert(
    fc.property(anyCluster, fc.shuffledSubarray(IDS), anyNode, (seen, order, asked) => {
      const whole = { ...seen, placementGroups: seen.placementGroups.map(g => ({ ...g, active: g.acting })) };
      const up = { ...whole, quorums: whole.quorums.map(q => ({ ...q, up: q.members })) };
      const before = new Ledger(RULES, up).mayStop(asked);
      const ledger = new Ledger(RULES, up);
      for (const id of order) ledger.stop(id);
      for (const id of order.toReversed()) ledger.recover(id);
      assert.deepEqual(ledger.mayStop(asked), before);
    }),
    { numRuns: 200 },
  );
});

test('hosts that are emptied together leave room for all machines, and none is placed on a host that goes', () => {
  fc.assert(
    fc.property(anyCluster, fc.shuffledSubarray(IDS), (seen, order) => {
      const ledger = new Ledger(RULES, seen);
      const gone = new Set<NodeId>();
      for (const id of order) {
        if (!ledger.mayDrain(id).ok) continue;
        ledger.drain(id);
        gone.add(id);
      }
      const sizes = new Map(seen.computes.map(({ node, memoryMb }) => [node, memoryMb]));
      const used = new Map<NodeId, number>();
      for (const each of seen.vms) {
        const stays = [each.host, each.migratingTo].filter(host => host !== undefined && !gone.has(host));
        for (const host of new Set(stays)) used.set(host as NodeId, (used.get(host as NodeId) ?? 0) + each.memoryMb);
      }
      const overbooked = [...used].some(([host, mb]) => mb > (sizes.get(host) ?? 0));
      if (overbooked) return;
      const leaving = seen.vms
        .filter(each => gone.has(each.migratingTo ?? each.host))
        .reduce((sum, each) => sum + each.memoryMb, 0);
      const free = IDS.filter(id => !gone.has(id)).reduce(
        (sum, id) => sum + (sizes.get(id) ?? 0) - (used.get(id) ?? 0),
        0,
      );
      assert.ok(leaving <= free, `${leaving} MB leave, ${free} MB are free`);
    }),
    { numRuns: 400 },
  );
});

test('asking changes nothing, however often and in whatever order', () => {
  fc.assert(
    fc.property(anyCluster, fc.array(anyNode, { maxLength: 10 }), anyNode, (seen, questions, asked) => {
      const ledger = new Ledger(RULES, seen);
      for (const id of questions) {
        ledger.mayDrain(id);
        ledger.mayStop(id);
      }
      const fresh = new Ledger(RULES, seen);
      assert.deepEqual(ledger.mayDrain(asked), fresh.mayDrain(asked));
      assert.deepEqual(ledger.mayStop(asked), fresh.mayStop(asked));
    }),
    { numRuns: 200 },
  );
});

test('a driver with a rule over sets alone is asked the same questions', () => {
  const tracker = trackerOf((_, { draining, stopped }) => ({ ok: draining.size + stopped.size <= 2, reason: '' }))(
    BASE,
  );
  tracker.drain('a1');
  assert.equal(tracker.mayDrain('a2').ok, true);
  tracker.stop('a1');
  assert.equal(tracker.mayDrain('a2').ok, false);
  tracker.start('a1');
  assert.equal(tracker.mayStop('a2').ok, true);
  tracker.recover('a1');
  assert.equal(tracker.mayDrain('a2').ok, true);
});
