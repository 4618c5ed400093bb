// Finding sites: everything asked for has to hold, pages miss nothing while sites report, and what is another's is not found.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import type { Tenant } from '../../../../server/context.ts';
import type { PageRequest } from '../../../../server/http/paging.ts';
import { siteEvents } from '../../../../server/sites/history.ts';
import { findSites, requireSite, type SiteFilters, searchText } from '../../../../server/sites/search.ts';
import { removeSite } from '../../../../server/sites/sites.ts';
import { fleetSummary } from '../../../../server/sites/summary.ts';
import { startTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { rejectsWith } from '../../../support/errors.ts';
import { tenantOn } from '../../../support/tenant.ts';

const NOW = new Date('2026-11-24T12:00:00Z');

let database: TestDatabase;
/** Has two products, and three sites. */
let acme: Tenant;
/** Has one site, which is like one of acme's. */
let other: Tenant;

before(async () => {
  database = await startTestDatabase();
  await database.organizations('acme', 'other');
  acme = tenantOn(database.db, { organization: 'acme', now: () => NOW });
  other = tenantOn(database.db, { organization: 'other', now: () => NOW });
  await license('acme', 'lic-cloud', 'cloud');
  await license('acme', 'lic-edge', 'edge');
  await license('other', 'lic-other', 'cloud');
  await site('acme', 'lic-cloud', 'a', { name: 'Zürich 1', version: '1.0.0', health: 'healthy', hours: 1 });
  await site('acme', 'lic-cloud', 'b', {
    name: 'Zürich 2',
    version: '2.0.0',
    health: 'failing',
    state: 'running',
    hours: 30,
  });
  await site('acme', 'lic-edge', 'c', { name: 'Bern', version: '1.0.0', hours: 50, via: 'receipt' });
  await site('other', 'lic-other', 'd', { name: 'Zürich 3', version: '1.0.0', health: 'healthy', hours: 1 });
});
after(() => database.close());

async function license(organization: string, id: string, product: string): Promise<void> {
  await sql`insert into licenses (organization, id, customer, product, channels, status, document, node_limit, site_limit,
      entitlement_public_key, sealed_psk, created_at)
    values (${organization}, ${id}, 'c', ${product}, '{stable}', 'active', '', 1, 1, '', '', now())`.execute(
    database.db,
  );
}

interface Row {
  readonly name: string;
  readonly version?: string;
  readonly health?: string;
  readonly state?: string;
  readonly via?: string;
  /** Since it was seen. */
  readonly hours?: number;
}

async function site(organization: string, licenseId: string, key: string, row: Row): Promise<void> {
  const { name, version = null, health = 'unknown', state = 'none', via = 'connection', hours = 0 } = row;
  const seen = new Date(NOW.getTime() - hours * 3600_000);
  await sql`insert into sites (organization, id, license_id, name, public_key, activated_at, last_seen_at, version, health, state,
      via, node_count, search)
    values (${organization}, ${`site-${key}`}, ${licenseId}, ${name}, '', ${seen}, ${seen}, ${version}, ${health}, ${state},
      ${via}, 10, ${searchText(`site-${key}`, name)})`.execute(database.db);
}

async function find(tenant: Tenant, filters: SiteFilters & Partial<PageRequest> = {}): Promise<string> {
  const { items } = await findSites(tenant, { limit: 50, ...filters });
  return items.map(({ id }) => id.replace('site-', '')).join(' ');
}

test('sites are found by everything that is asked for, in the order of their names', async () => {
  assert.equal(await find(acme), 'c a b');
  assert.equal(await find(acme, { license: 'lic-edge' }), 'c');
  assert.equal(await find(acme, { version: '1.0.0' }), 'c a');
  assert.equal(await find(acme, { version: '1.0.0', health: 'healthy' }), 'a');
  assert.equal(await find(acme, { state: 'running' }), 'b');
  assert.equal(await find(acme, { seenBefore: '2026-11-23T12:00:00Z' }), 'c b');
  assert.equal(await find(acme, { q: 'zÜRICH' }), 'a b');
  assert.equal(await find(acme, { q: 'site-c' }), 'c');
  for (const q of ['%', '_', "'", '\\']) assert.equal(await find(acme, { q }), '', q);
});

test('a search across organizations finds nothing, whatever it asks for', async () => {
  assert.equal(await find(other), 'd');
  assert.equal(await find(other, { license: 'lic-cloud' }), '');
  assert.equal(await find(other, { q: 'site-a' }), '');
  assert.equal(await find(other, { version: '2.0.0' }), '');
  assert.equal((await fleetSummary(other)).sites, 1);
  await rejectsWith('not-found', () => requireSite(other, 'site-a'));
  await rejectsWith('not-found', () => siteEvents(other, 'site-a', { limit: 50 }));
  await rejectsWith('not-found', () => removeSite(other, 'site-a', 'token:other'));
  const stranger = { ...(await findSites(acme, { limit: 1 })) };
  assert.equal(await find(other, { cursor: stranger.next as string }), 'd', 'a cursor opens nothing');
});

test('who is limited to some products finds the sites of those', async () => {
  const limited = { ...acme, products: ['edge'] };
  assert.equal(await find(limited), 'c');
  assert.equal(await find(limited, { license: 'lic-cloud' }), '');
  assert.equal((await fleetSummary(limited)).sites, 1);
  await rejectsWith('not-found', () => siteEvents(limited, 'site-a', { limit: 50 }));
});

test('pages miss no site and show none twice, though all of them report meanwhile', async () => {
  const found: string[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 5; pages++) {
    const { items, next } = await findSites(acme, { limit: 1, cursor });
    found.push(...items.map(({ id }) => id));
    await database.db.updateTable('sites').set({ last_seen_at: NOW }).where('id', 'in', ['site-a']).execute();
    if (next === null) break;
    cursor = next;
  }
  assert.deepEqual(found, ['site-c', 'site-a', 'site-b']);
});

test('the summary counts versions, health, rollovers and who is silent; cut-off sites are not silent', async () => {
  assert.deepEqual(await fleetSummary(acme), {
    sites: 3,
    nodes: 30,
    versions: [
      { version: '1.0.0', sites: 2, nodes: 20 },
      { version: '2.0.0', sites: 1, nodes: 10 },
    ],
    others: 0,
    health: { healthy: 1, failing: 1, unknown: 1 },
    rollovers: { none: 2, running: 1 },
    silent: 1,
  });
});
