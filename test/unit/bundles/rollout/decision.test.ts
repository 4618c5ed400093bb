// Staged rollouts as sites decide them: who, when, and that nothing is taken away again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  bucketOf,
  budgetVerdict,
  explainBudget,
  explainDecision,
  type Rollout,
  resumed,
  rolloutDecision,
  rolloutSchema,
} from '../../../../bundles/index.ts';
import { stageStarts } from '../../../../bundles/rollout/stages.ts';

const SEED = '00112233445566778899aabbccddeeff';
const START = '2026-03-02T10:00:00Z';
const HOUR_MS = 3_600_000;

function rolloutOf(parts: object = {}): Rollout {
  return rolloutSchema.parse({
    format: 1,
    id: 'cloud-5.2.0',
    product: 'cloud',
    channel: 'stable',
    version: '5.2.0',
    state: 'running',
    seed: SEED,
    stages: [{ percent: 100, startsAt: START }],
    windows: [],
    budget: { maxFailures: 3 },
    ...parts,
  });
}

const idOf = (number: number) => `site-${number.toString(16).padStart(16, '0')}`;
const site = (id: string, labels: Readonly<Record<string, string>> = {}) => ({ id, labels });
const hoursIn = (hours: number) => new Date(Date.parse(START) + hours * HOUR_MS);

/** Sites that come late and early with this seed. */
const ids = Array.from({ length: 1000 }, (_, i) => idOf(i));
const late = ids.find(id => bucketOf(id, SEED) > 90) as string;
const early = ids.find(id => bucketOf(id, SEED) < 5) as string;

test('canaries come first, by name or by label, then a growing share', () => {
  const rollout = rolloutOf({
    stages: [
      { sites: [late], startsAt: START },
      {
        labels: [
          { name: 'ring', value: 'early' },
          { name: 'region', value: 'eu' },
        ],
        afterHours: 24,
      },
      { percent: 10, afterHours: 24 },
      { percent: 100, afterHours: 48 },
    ],
  });
  const other = ids.find(id => bucketOf(id, SEED) > 90 && id !== late) as string;
  const offered = (who: ReturnType<typeof site>, hours: number) =>
    rolloutDecision(rollout, who, hoursIn(hours)).offered;
  assert.deepEqual(
    [-1, 0, 100].map(hours => offered(site(late), hours)),
    [false, true, true],
  );
  assert.deepEqual(
    [0, 24].map(hours => offered(site(other, { ring: 'early', region: 'eu' }), hours)),
    [false, true],
  );
  assert.deepEqual(
    [24, 95, 96].map(hours => offered(site(other, { ring: 'early' }), hours)),
    [false, false, true],
  );
  assert.deepEqual(
    [47, 48].map(hours => offered(site(early), hours)),
    [false, true],
  );
  assert.deepEqual(rolloutDecision(rollout, site(other), hoursIn(0)), {
    offered: false,
    reason: 'before-stage',
    nextChange: hoursIn(96),
  });
});

test('a rollout that is paused or halted offers nothing, a completed one offers to all', () => {
  const stages = [{ sites: [early], startsAt: START }];
  const decide = (state: string, id: string) => rolloutDecision(rolloutOf({ state, stages }), site(id), hoursIn(1));
  assert.deepEqual(decide('running', early), { offered: true, reason: 'included' });
  assert.deepEqual(decide('running', late), { offered: false, reason: 'in-no-stage' });
  for (const state of ['paused', 'halted']) assert.deepEqual(decide(state, early), { offered: false, reason: state });
  assert.deepEqual(decide('completed', late), { offered: true, reason: 'included' });
  assert.match(explainDecision(rolloutOf(), decide('halted', early)), /halted/);
});

test('labels that every object has by itself make nobody a canary', () => {
  for (const name of ['__proto__', 'constructor', 'toString']) {
    const rollout = rolloutOf({ stages: [{ labels: [{ name, value: 'x' }], startsAt: START }] });
    assert.equal(rolloutDecision(rollout, site(late), hoursIn(1)).offered, false);
    assert.equal(rolloutDecision(rollout, site(late, JSON.parse(`{"${name}":"x"}`)), hoursIn(1)).offered, true);
  }
});

test('after a pause, what had not started is late by the pause', () => {
  const rollout = rolloutOf({
    state: 'paused',
    stages: [
      { percent: 1, startsAt: START },
      { percent: 10, afterHours: 24 },
      { percent: 100, afterHours: 24 },
    ],
  });
  const again = rolloutSchema.parse(resumed(rollout, hoursIn(30), hoursIn(100)));
  assert.equal(again.state, 'running');
  assert.deepEqual(
    stageStarts(again.stages),
    [0, 24, 48 + 70].map(hours => hoursIn(hours).getTime()),
  );
});

const FLEET = Array.from({ length: 100_000 }, (_, i) => idOf(i * 7919));

test('of 100,000 sites, the share at p percent is that of fair coins', () => {
  const buckets = FLEET.map(id => bucketOf(id, SEED)).sort((a, b) => a - b);
  assert.ok((buckets[0] as number) >= 0 && (buckets.at(-1) as number) < 100);
  assert.equal(new Set(buckets).size, FLEET.length, 'no two in one place');
  for (const percent of [1, 2, 5, 10, 25, 50, 75, 90, 99]) {
    const share = percent / 100;
    const offered = buckets.filter(bucket => bucket < percent).length;
    const deviation = Math.sqrt(FLEET.length * share * (1 - share));
    assert.ok(
      Math.abs(offered - FLEET.length * share) < 5 * deviation,
      `${offered} of ${FLEET.length} at ${percent} %`,
    );
  }
});

test('the canaries of two rollouts have no more in common than by chance', () => {
  const seeds = [SEED, SEED.replace('0', '1'), '0'.repeat(32), 'f'.repeat(32)];
  const canaries = seeds.map(seed => new Set(FLEET.filter(id => bucketOf(id, seed) < 10)));
  for (const [i, a] of canaries.entries()) {
    for (const b of canaries.slice(i + 1)) {
      const both = [...a].filter(id => b.has(id)).length;
      const deviation = Math.sqrt(FLEET.length * 0.01 * 0.99);
      assert.ok(Math.abs(both - FLEET.length * 0.01) < 5 * deviation, `${both} sites are canaries of both`);
    }
  }
});

test('the place of a site is what any implementation of SHA-256 makes of it', () => {
  assert.equal(bucketOf('site-0123456789abcdef', SEED).toFixed(9), '2.493673775');
});

const percents = fc.integer({ min: 1, max: 100 });

test('a higher percentage takes no offer away, and time takes none either', () => {
  const property = fc.property(
    fc.nat({ max: 10_000 }).map(idOf),
    percents,
    percents,
    fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 2, maxLength: 2 }),
    fc.nat({ max: 120 }),
    fc.nat({ max: 120 }),
    (id, a, b, [first, second], hours, more) => {
      const [low, high] = [Math.min(a, b), Math.max(a, b)];
      const staged = (percent: number) =>
        rolloutOf({
          stages: [
            { percent: 1, startsAt: START },
            { percent, afterHours: first },
            { percent: 100, afterHours: second },
          ],
        });
      const before = rolloutDecision(staged(low), site(id), hoursIn(hours));
      if (!before.offered) return;
      assert.ok(rolloutDecision(staged(high), site(id), hoursIn(hours)).offered);
      assert.ok(rolloutDecision(staged(low), site(id), hoursIn(hours + more)).offered);
    },
  );
  fc.assert(property, { numRuns: 500 });
});

test('a budget counts failures at once, and judges a share when there are enough reports', () => {
  const verdict = (budget: object, succeeded: number, failed: number) =>
    budgetVerdict(rolloutOf({ budget }), { succeeded, failed, pending: 5 });
  const both = { maxFailures: 3, maxFailurePercent: 5, minReports: 20 };
  assert.deepEqual(verdict(both, 0, 3), { verdict: 'go-on', reason: 'too-few-reports' });
  assert.deepEqual(verdict(both, 0, 4), { verdict: 'halt', reason: 'too-many-failures' });
  assert.deepEqual(verdict(both, 18, 2), { verdict: 'halt', reason: 'too-high-a-share' });
  assert.deepEqual(verdict(both, 19, 1), { verdict: 'go-on', reason: 'within-budget' });
  assert.deepEqual(verdict({ maxFailurePercent: 0 }, 1000, 1), { verdict: 'halt', reason: 'too-high-a-share' });
  assert.deepEqual(verdict({ maxFailurePercent: 0 }, 0, 0), { verdict: 'go-on', reason: 'too-few-reports' });
  assert.deepEqual(verdict({ maxFailures: 0 }, 1000, 0), { verdict: 'go-on', reason: 'within-budget' });
  const halted = explainBudget(rolloutOf({ budget: both }), { succeeded: 18, failed: 2, pending: 5 });
  assert.equal(halted, '2 of 20 sites have failed, 5 are under way: halted, because more than 5 % failed.');
});

test('more failures never turn a halt into going on', () => {
  const budgets = fc.record(
    {
      maxFailures: fc.nat({ max: 10 }),
      maxFailurePercent: fc.nat({ max: 99 }),
      minReports: fc.integer({ min: 1, max: 30 }),
    },
    { requiredKeys: ['maxFailures'] },
  );
  fc.assert(
    fc.property(budgets, fc.nat({ max: 50 }), fc.nat({ max: 50 }), (budget, succeeded, failed) => {
      const rollout = rolloutOf({ budget });
      if (budgetVerdict(rollout, { succeeded, failed, pending: 0 }).verdict === 'go-on') return;
      assert.equal(budgetVerdict(rollout, { succeeded, failed: failed + 1, pending: 0 }).verdict, 'halt');
    }),
  );
});

test('a rollout that contradicts itself is refused', () => {
  const faults: readonly object[] = [
    { stages: [] },
    { stages: [{ percent: 10, afterHours: 3 }] },
    { stages: [{ startsAt: START }] },
    { stages: [{ percent: 10, startsAt: START, afterHours: 3 }] },
    { stages: [{ percent: 10 }] },
    { stages: [{ percent: 0, startsAt: START }] },
    { stages: [{ percent: 101, startsAt: START }] },
    {
      stages: [
        { percent: 10, startsAt: START },
        { percent: 5, afterHours: 1 },
      ],
    },
    {
      stages: [
        { percent: 10, startsAt: START },
        { percent: 20, startsAt: '2026-03-01T10:00:00Z' },
      ],
    },
    { stages: [{ percent: 10, startsAt: 'soon' }] },
    { windows: [{ days: ['mon'], from: '22:00', to: '04:00', zone: 'Europe/Atlantis' }] },
    { windows: [{ days: ['mon'], from: '24:00', to: '04:00', zone: 'UTC' }] },
    { windows: [{ days: [], from: '22:00', to: '04:00', zone: 'UTC' }] },
    { seed: 'x' },
    { budget: {} },
    { budget: { minReports: 3 } },
    { state: 'done' },
    { note: '' },
  ];
  for (const fault of faults) assert.throws(() => rolloutOf(fault), JSON.stringify(fault));
});
