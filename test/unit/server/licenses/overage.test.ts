// More than a license covers: counted from what sites report, refused, told of or let be, as the license says.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { feedClient } from '../../../../agent/update/feed-client.ts';
import { newSite, type Site } from '../../../../agent/update/site.ts';
import type { LicenseFile } from '../../../../bundles/index.ts';
import type { LicenseView } from '../../../../server/licenses/view.ts';
import type { SiteView } from '../../../../server/sites/search.ts';
import { rejectsWith } from '../../../support/errors.ts';
import { startTestService, type TestService } from '../../../support/service.ts';

let service: TestService;
before(async () => {
  service = await startTestService();
  await service.api.post('/v1/webhooks', { url: 'https://example.com/hook', events: ['license.overage'] });
});
after(() => service.close());

const view = (id: string) => service.api.get<LicenseView>(`/v1/licenses/${id}`);

/** A site of the license that is activated. */
async function activated(file: LicenseFile): Promise<Site> {
  const site = newSite(file, { name: 'test', connected: true });
  await withFeed(site, feed => feed.activate({ site: site.site, name: site.name, publicKey: site.publicKey }));
  return site;
}

async function withFeed<T>(site: Site, work: (feed: ReturnType<typeof feedClient>) => Promise<T>): Promise<T> {
  const feed = feedClient(site);
  try {
    return await work(feed);
  } finally {
    feed.close();
  }
}

const report = (site: Site, nodes: Record<string, number>) =>
  withFeed(site, feed =>
    feed.report({ site: site.site, at: '2026-01-01T00:00:00Z', agentVersion: '1', nodes, rollover: 'none' }),
  );

async function told(id: string): Promise<object[]> {
  const rows = (await service.query(
    `select payload from webhook_deliveries where payload like '%${id}%' order by created_at`,
  )) as { payload: string }[];
  return rows.map(({ payload }) => JSON.parse(payload).data);
}

async function beyond(id: string): Promise<number> {
  const sites = await service.api.all<SiteView>('/v1/sites');
  return sites.filter(({ license, beyondLimit }) => license === id && beyondLimit).length;
}

test('only live nodes count, of all sites of the license, by their last reports', async () => {
  const { id, file } = await service.issue({ sites: 2, nodes: 10 });
  assert.deepEqual((await view(id)).usage, { nodes: 0, sites: 0, over: [] });
  const [one, two] = [await activated(file), await activated(file)];
  await report(one, { active: 4, rebooting: 1, failed: 1, leaving: 2, removed: 9, fenced: 1, quarantined: 1 });
  await report(two, { active: 4, discovered: 5 });
  assert.deepEqual((await view(id)).usage, { nodes: 10, sites: 2, over: [] });
  await report(two, { active: 5 });
  assert.deepEqual((await view(id)).usage, { nodes: 11, sites: 2, over: ['nodes'] });
  await service.api.remove(`/v1/sites/${two.site}`);
  assert.deepEqual((await view(id)).usage, { nodes: 6, sites: 1, over: [] });
});

test('refuse: a site more is not activated, and one that is there is, again and again', async () => {
  const { id, file } = await service.issue();
  const site = await activated(file);
  await rejectsWith('license-refused', () => activated(file));
  await withFeed(site, feed => feed.activate({ site: site.site, name: site.name, publicKey: site.publicKey }));
  assert.deepEqual(await told(id), []);
  assert.equal((await view(id)).usage.sites, 1);
});

test('warn: a site more is activated and marked, and the vendor is told when the limit is passed', async () => {
  const { id, file } = await service.issue({ overage: 'warn' });
  for (let i = 0; i < 3; i++) await activated(file);
  assert.deepEqual((await view(id)).usage, { nodes: 0, sites: 3, over: ['sites'] });
  assert.deepEqual(await told(id), [{ license: id, what: 'sites', used: 2, limit: 1 }]);
  assert.equal(await beyond(id), 2);
});

test('allow: a site more is activated, and nobody is told', async () => {
  const { id, file } = await service.issue({ overage: 'allow' });
  for (let i = 0; i < 2; i++) await activated(file);
  assert.deepEqual((await view(id)).usage.over, ['sites']);
  assert.deepEqual(await told(id), []);
  assert.equal(await beyond(id), 0);
});

test('warn: the vendor is told of nodes each time that the limit is passed, and not while it stays so', async () => {
  const { id, file } = await service.issue({ overage: 'warn', nodes: 5 });
  const site = await activated(file);
  for (const active of [5, 6, 6, 7, 5, 8]) await report(site, { active });
  assert.deepEqual(await told(id), [
    { license: id, what: 'nodes', used: 6, limit: 5 },
    { license: id, what: 'nodes', used: 8, limit: 5 },
  ]);
});

test('limits below what is there touch nothing that is there', async () => {
  const { id, file } = await service.issue({ sites: 2, nodes: 10 });
  const site = await activated(file);
  await activated(file);
  await report(site, { active: 9 });
  await service.api.patch(`/v1/licenses/${id}`, { sites: 1, nodes: 1 });
  assert.deepEqual((await view(id)).usage, { nodes: 9, sites: 2, over: ['nodes', 'sites'] });
  await report(site, { active: 9 });
  await withFeed(site, feed => feed.activate({ site: site.site, name: site.name, publicKey: site.publicKey }));
});

test('a report of more states than there can be is refused', async () => {
  const { file } = await service.issue();
  const site = await activated(file);
  const states = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`state-${i}`, 1_000_000]));
  await rejectsWith('feed-failed', () => report(site, states));
  await report(site, Object.fromEntries(Object.entries(states).slice(0, 32)));
});

test('seats are leased over the sites’ port, within the pool of the license', async () => {
  const { file } = await service.issue({ sites: 2, nodes: 10, floating: true });
  const [one, two] = [await activated(file), await activated(file)];
  const lease = (site: Site, wanted: number) => withFeed(site, feed => feed.seats({ site: site.site, wanted }));
  assert.equal((await lease(one, 8)).granted, 8);
  assert.equal((await lease(two, 8)).granted, 2);
  await service.api.remove(`/v1/sites/${one.site}`);
  assert.equal((await lease(two, 8)).granted, 8, 'a site that is forgotten leaves its seats');
});
