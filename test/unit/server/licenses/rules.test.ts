// The rules of licenses without a database: which deed is allowed when, what more than a limit means, and what an end means.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { grantedSeats, hasRoom, overOf, passesLimit } from '../../../../server/licenses/limits.ts';
import { LICENSE_DEEDS, LICENSE_STATUSES, type LicenseDeed, statusAfter } from '../../../../server/licenses/status.ts';
import { coveredUntilMs, covers, type Expiry, isLocked, OVERAGES } from '../../../../signing/index.ts';
import { rejectsWith } from '../../../support/errors.ts';

const deeds = Object.keys(LICENSE_DEEDS) as readonly LicenseDeed[];
const anyDeeds = fc.array(fc.constantFrom(...deeds), { maxLength: 12 });

test('a revoked license stays revoked, whatever is tried; only suspending and resuming lead from one status to another', () => {
  fc.assert(
    fc.property(anyDeeds, history => {
      let status: (typeof LICENSE_STATUSES)[number] = 'active';
      for (const deed of history) {
        const before = status;
        try {
          status = statusAfter('lic-1', status, deed);
        } catch {
          continue;
        }
        if (before === 'revoked') assert.equal(status, 'revoked');
        if (status !== before)
          assert.ok(['suspend', 'resume', 'revoke'].includes(deed), `${deed}: ${before}, ${status}`);
      }
    }),
  );
});

test('what a status refuses has a stable code and says for which it is', async () => {
  for (const [status, deed] of [
    ['active', 'resume'],
    ['suspended', 'suspend'],
    ['suspended', 'rekey'],
    ['revoked', 'renew'],
    ['revoked', 'resume'],
  ] as const) {
    const error = await rejectsWith('license-state', async () => statusAfter('lic-1', status, deed));
    assert.match(error.message, new RegExp(`is ${status}: ${deed} is for`));
  }
});

test('every status is reached, and every deed is allowed in one at least', () => {
  const reached = deeds.flatMap(deed => Object.values(LICENSE_DEEDS[deed]));
  assert.deepEqual([...new Set(reached)].sort(), [...LICENSE_STATUSES].sort());
  assert.ok(reached.length > 0);
});

const count = fc.nat({ max: 50 });

test('seats that are granted under `refuse` never exceed the pool, and no more than wanted is granted', () => {
  fc.assert(
    fc.property(count, fc.array(count, { maxLength: 10 }), (pool, wishes) => {
      let leased = 0;
      for (const wanted of wishes) {
        const granted = grantedSeats('refuse', pool, leased, wanted);
        assert.ok(granted >= 0 && granted <= wanted);
        leased += granted;
        assert.ok(leased <= pool);
        if (granted < wanted) assert.equal(leased, pool, 'what is left is not kept back');
      }
    }),
  );
});

test('a pool that was made smaller than what is leased grants nothing, and never less than nothing', () => {
  assert.equal(grantedSeats('refuse', 3, 10, 5), 0);
  for (const overage of ['allow', 'warn'] as const) assert.equal(grantedSeats(overage, 3, 10, 5), 5);
});

test('a license has room below its limit, and beyond it where the policy says so; the vendor is told once', () => {
  for (const overage of OVERAGES) {
    assert.ok(hasRoom(overage, 1, 2));
    assert.equal(hasRoom(overage, 2, 2), overage !== 'refuse');
    assert.equal(passesLimit(overage, 2, 3, 2), overage === 'warn');
    assert.equal(passesLimit(overage, 3, 4, 2), false, 'it is over already');
    assert.equal(passesLimit(overage, 1, 2, 2), false, 'the limit itself is covered');
  }
  assert.deepEqual(overOf({ nodes: 2, sites: 2 }, { nodes: 3, sites: 2 }), ['nodes']);
});

const DAY_MS = 24 * 3600_000;
const END = Date.parse('2026-06-01T00:00:00Z');
const strategies: readonly (Expiry | undefined)[] = [undefined, { strategy: 'grace', days: 10 }, { strategy: 'lock' }];

test('before its end a license covers what is published, and a perpetual one always does, by every strategy', () => {
  for (const expiry of strategies) {
    assert.ok(covers({ expiresMs: END, expiry }, END - 2, END - 1));
    assert.ok(covers({ expiresMs: undefined, expiry }, END, END + 1));
  }
});

test('after the end: keep opens what was published before, grace some days more, lock nothing', () => {
  const open = (expiry: Expiry | undefined, published: number, now: number) =>
    covers({ expiresMs: END, expiry }, published, now);
  const [keep, grace, lock] = strategies;
  const year = END + 365 * DAY_MS;
  assert.deepEqual(
    [keep, grace, lock].map(expiry => open(expiry, END - 1, year)),
    [true, true, false],
  );
  assert.deepEqual(
    [keep, grace, lock].map(expiry => open(expiry, END, year)),
    [false, true, false],
  );
  assert.equal(open(grace, END + 10 * DAY_MS - 1, year), true);
  assert.equal(open(grace, END + 10 * DAY_MS, year), false);
});

test('what was covered once is covered for ever, unless the license is locked', () => {
  const at = fc.integer({ min: END - 30 * DAY_MS, max: END + 30 * DAY_MS });
  fc.assert(
    fc.property(fc.constantFrom(...strategies), at, at, at, (expiry, published, early, late) => {
      const term = { expiresMs: END, expiry };
      const [first, then] = [Math.min(early, late), Math.max(early, late)];
      if (!covers(term, published, first) || isLocked(term, then)) return;
      assert.ok(covers(term, published, then));
      assert.ok(published < (coveredUntilMs(term) as number));
    }),
  );
});
