// Seats of a floating license, on a real database: many sites at once never get more than the pool has.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { leaseSeats } from '../../../../server/licenses/seats.ts';
import type { Overage } from '../../../../signing/index.ts';
import { startTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { rejectsWith } from '../../../support/errors.ts';
import { tenantOn } from '../../../support/tenant.ts';

const SITES = Array.from({ length: 8 }, (_, i) => `site-${String(i).padStart(16, '0')}`);
const START_MS = Date.parse('2026-01-01T00:00:00Z');
const DAY_MS = 24 * 3600_000;

let database: TestDatabase;
let nowMs = START_MS;
const tenant = () => tenantOn(database.db, { now: () => new Date(nowMs) });
const lease = (site: string | undefined, wanted: number) =>
  leaseSeats(tenant(), 'lic-1', { site: site as string, wanted });

before(async () => {
  database = await startTestDatabase();
});
after(() => database.close());
beforeEach(() => setUp(10));

async function setUp(pool: number, overage: Overage = 'refuse', floating = true): Promise<void> {
  nowMs = START_MS;
  const { db } = database;
  for (const table of ['webhook_deliveries', 'webhooks', 'seats', 'sites', 'licenses'] as const) {
    await db.deleteFrom(table).execute();
  }
  const created_at = new Date(START_MS);
  const made = { organization: 'default', customer: 'Acme', product: 'cloud', channels: ['stable'], document: '' };
  const limits = { node_limit: pool, site_limit: 100, overage, floating };
  const rest = { entitlement_public_key: '', sealed_psk: Buffer.alloc(0), expires_at: null, created_at };
  await db
    .insertInto('licenses')
    .values({ id: 'lic-1', status: 'active', ...made, ...limits, ...rest })
    .execute();
  const times = { activated_at: created_at, last_seen_at: created_at };
  const site = {
    organization: 'default',
    license_id: 'lic-1',
    name: 'n',
    public_key: '',
    reported_at: null,
    search: '',
    ...times,
  };
  await db
    .insertInto('sites')
    .values(SITES.map(id => ({ id, ...site })))
    .execute();
}

async function leasedNow(): Promise<number> {
  const rows = await database.db.selectFrom('seats').select('seats').where('until', '>', new Date(nowMs)).execute();
  return rows.reduce((sum, { seats }) => sum + seats, 0);
}

test('sites that ask at once get all of the pool together, and not one seat more', async () => {
  for (let round = 0; round < 5; round++) {
    await setUp(10);
    const granted = await Promise.all(SITES.map(site => lease(site, 3)));
    assert.equal(
      granted.reduce((sum, given) => sum + given.granted, 0),
      10,
    );
    assert.equal(await leasedNow(), 10);
  }
});

test('a question waits for one that is being answered, and counts what that one is given', async () => {
  await setUp(10);
  const { db } = database;
  const blocked = await db.transaction().execute(async held => {
    await held.selectFrom('licenses').select('id').where('id', '=', 'lic-1').forUpdate().execute();
    const asked = lease(SITES[0], 10);
    const until = new Date(nowMs + DAY_MS);
    await held
      .insertInto('seats')
      .values({ organization: 'default', license_id: 'lic-1', site_id: SITES[1] as string, seats: 4, until })
      .execute();
    return { asked };
  });
  assert.equal((await blocked.asked).granted, 6);
});

test('asking again keeps the seats, asking for none gives them back', async () => {
  assert.equal((await lease(SITES[0], 10)).granted, 10);
  assert.equal((await lease(SITES[1], 1)).granted, 0);
  assert.equal((await lease(SITES[0], 10)).granted, 10);
  assert.equal((await lease(SITES[0], 0)).granted, 0);
  assert.equal((await lease(SITES[1], 1)).granted, 1);
});

test('a lease ends by itself: a site that is never heard of again takes no seat for ever', async () => {
  const { until } = await lease(SITES[0], 10);
  nowMs = Date.parse(until) - 1;
  assert.equal((await lease(SITES[1], 10)).granted, 0);
  nowMs = Date.parse(until);
  assert.equal((await lease(SITES[1], 10)).granted, 10);
  assert.equal((await lease(SITES[0], 10)).granted, 0);
});

test('any order of questions and days: what is leased never exceeds the pool, and nobody loses a seat while others ask', async () => {
  const wish = fc.record({ site: fc.constantFrom(...SITES), wanted: fc.nat({ max: 12 }), hours: fc.nat({ max: 30 }) });
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: 20 }), fc.array(wish, { minLength: 1, maxLength: 12 }), async (more, wishes) => {
      const pool = more + 1;
      await setUp(pool);
      const held = new Map<string, { granted: number; untilMs: number }>();
      for (const { site, wanted, hours } of wishes) {
        nowMs += hours * 3600_000;
        const { granted, until } = await lease(site, wanted);
        const before = held.get(site);
        const kept = before && before.untilMs > nowMs ? Math.min(before.granted, wanted) : 0;
        assert.ok(granted >= kept && granted <= wanted);
        held.set(site, { granted, untilMs: Date.parse(until) });
        const sum = [...held.values()].reduce((all, one) => (one.untilMs > nowMs ? all + one.granted : all), 0);
        assert.equal(await leasedNow(), sum);
        assert.ok(sum <= pool, `${sum} of ${pool}`);
      }
    }),
    { numRuns: 40 },
  );
});

test('a policy that warns grants beyond the pool, and tells the vendor once', async () => {
  await setUp(10, 'warn');
  const webhook = { id: 'wh-1', organization: 'default', url: 'https://example.com', events: ['license.overage'] };
  const counts = { failures: 0, revision: 1, created_at: new Date(START_MS), sealed_secret: Buffer.alloc(0) };
  await database.db
    .insertInto('webhooks')
    .values({ ...webhook, ...counts })
    .execute();
  for (const site of SITES.slice(0, 3)) assert.equal((await lease(site, 5)).granted, 5);
  for (const site of SITES.slice(0, 3)) assert.equal((await lease(site, 5)).granted, 5);
  const told = await database.db.selectFrom('webhook_deliveries').select('payload').execute();
  assert.deepEqual(
    told.map(({ payload }) => JSON.parse(payload).data),
    [{ license: 'lic-1', what: 'seats', used: 15, limit: 10 }],
  );
});

test('seats are for floating licenses that are active, and for sites of their own', async () => {
  await rejectsWith('license-refused', () => lease('site-ffffffffffffffff', 1));
  const other = { ...tenant(), organization: 'org-other' };
  await rejectsWith('not-found', () => leaseSeats(other, 'lic-1', { site: SITES[0] as string, wanted: 1 }));
  await database.db.updateTable('licenses').set({ status: 'suspended' }).execute();
  await rejectsWith('license-refused', () => lease(SITES[0], 1));
  await setUp(10, 'refuse', false);
  await rejectsWith('license-refused', () => lease(SITES[0], 1));
});
