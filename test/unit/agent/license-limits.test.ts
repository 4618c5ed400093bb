// What the license says at the site: what holds back the next rollover, and what is only told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type LicenseClaims,
  type LicenseUse,
  licenseWarnings,
  limitObjections,
} from '../../../agent/update/license-limits.ts';

const NOW = new Date('2026-01-01T00:00:00Z');
const five: LicenseClaims = { limits: { nodes: 5 } };
const use = (nodes: number, more: Partial<LicenseUse> = {}): LicenseUse => ({
  nodes,
  connected: true,
  lease: undefined,
  now: NOW,
  ...more,
});

test('as many nodes as the license covers are no matter, by every policy', () => {
  for (const overage of [undefined, 'allow', 'warn', 'refuse'] as const) {
    assert.deepEqual(limitObjections({ ...five, overage }, use(5)), []);
    assert.deepEqual(licenseWarnings({ ...five, overage }, use(5)), []);
  }
});

test('more nodes hold the next rollover back, are told of, or are let be, as the license says', () => {
  const said = 'The license allows 5 nodes, the cluster has 6.';
  for (const overage of [undefined, 'refuse'] as const) {
    assert.deepEqual(limitObjections({ ...five, overage }, use(6)), [said]);
    assert.deepEqual(licenseWarnings({ ...five, overage }, use(6)), []);
  }
  assert.deepEqual(limitObjections({ ...five, overage: 'warn' }, use(6)), []);
  assert.deepEqual(licenseWarnings({ ...five, overage: 'warn' }, use(6)), [`${said} Ask the vendor for more.`]);
  assert.deepEqual(limitObjections({ ...five, overage: 'allow' }, use(6)), []);
  assert.deepEqual(licenseWarnings({ ...five, overage: 'allow' }, use(6)), []);
});

test('of a floating license a site goes by its own seats, while it has them', () => {
  const floating: LicenseClaims = { ...five, floating: true };
  const lease = { granted: 3, until: '2026-01-02T00:00:00Z' };
  assert.deepEqual(limitObjections(floating, use(3, { lease })), []);
  assert.match(limitObjections(floating, use(4, { lease }))[0] ?? '', /gives this one 3 seats; the cluster has 4/);
  const over = { lease, now: new Date(lease.until) };
  assert.match(limitObjections(floating, use(1, over))[0] ?? '', /0 seats/, 'a lease that has ended is none');
  assert.match(limitObjections(floating, use(1))[0] ?? '', /0 seats/);
  assert.deepEqual(limitObjections(floating, use(5, { connected: false })), []);
});

test('a trial is said to be one', () => {
  const trial: LicenseClaims = { ...five, trial: true, expiresAt: '2026-03-31T23:59:59.000Z' };
  assert.deepEqual(licenseWarnings(trial, use(1)), ['This is a trial license until 2026-03-31.']);
});
