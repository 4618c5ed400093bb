// The life of a license over the API and at the sites' port: what each deed changes, and what it leaves alone.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import request from 'supertest';
import { feedClient } from '../../../../agent/update/feed-client.ts';
import { newSite, type Site } from '../../../../agent/update/site.ts';
import type { LicenseFile } from '../../../../bundles/index.ts';
import type { HistoryEntry } from '../../../../server/licenses/listing.ts';
import type { LicenseView } from '../../../../server/licenses/view.ts';
import { type License, readOwnLicense } from '../../../../signing/index.ts';
import { rejectsWith } from '../../../support/errors.ts';
import { startTestService, type TestService } from '../../../support/service.ts';

let service: TestService;
let manifest: string;
before(async () => {
  service = await startTestService();
  ({ manifest } = await service.publish('1.0.0'));
});
after(() => service.close());

const path = (id: string, rest = '') => `/v1/licenses/${id}${rest}`;
const deed = (id: string, name: string, body: object = {}) => service.api.post<LicenseView>(path(id, `/${name}`), body);
const siteOf = (file: LicenseFile) => newSite(file, { name: 'test', connected: true });

async function documentOf(id: string): Promise<License> {
  const { license } = await service.api.get<{ license: string }>(path(id, '/document'));
  return readOwnLicense(license).license;
}

async function withFeed<T>(site: Site, work: (feed: ReturnType<typeof feedClient>) => Promise<T>): Promise<T> {
  const feed = feedClient(site);
  try {
    return await work(feed);
  } finally {
    feed.close();
  }
}

const activate = ({ site, name, publicKey, ...rest }: Site) =>
  withFeed({ site, name, publicKey, ...rest }, feed => feed.activate({ site, name, publicKey }));

test('a suspended license opens no connection, no wrap and no activation; resumed, it opens what it did', async () => {
  const { id, file } = await service.issue();
  const site = siteOf(file);
  await withFeed(site, async feed => {
    assert.ok(await feed.metadata('timestamp.json', 16_384));
    const suspended = await deed(id, 'suspend', { reason: 'unpaid' });
    assert.deepEqual([suspended.status, suspended.suspendedReason], ['suspended', 'unpaid']);
    await rejectsWith('license-refused', () => feed.metadata('timestamp.json', 16_384));
  });
  await rejectsWith('feed-refused', () => activate(site));
  await rejectsWith('license-refused', () => service.api.get(path(id, `/wraps/${manifest}`)));
  await rejectsWith('license-refused', () => service.api.get(path(id, '/director')));
  const resumed = await deed(id, 'resume');
  assert.deepEqual([resumed.status, resumed.suspendedReason], ['active', null]);
  await activate(site);
  await service.api.get(path(id, `/wraps/${manifest}`));
});

test('what a status does not allow is refused by its code, and changes nothing', async () => {
  const { id } = await service.issue();
  await rejectsWith('license-state', () => deed(id, 'resume'));
  await deed(id, 'suspend', { reason: 'unpaid' });
  await rejectsWith('license-state', () => deed(id, 'suspend', { reason: 'again' }));
  await rejectsWith('license-state', () => deed(id, 'rekey'));
  await service.api.post(path(id, '/revoke'), {});
  const before = await service.api.get<LicenseView>(path(id));
  for (const [name, body] of [
    ['resume', {}],
    ['renew', { expiresAt: null }],
    ['transfer', { customer: 'Thief' }],
  ] as const) {
    await rejectsWith('license-state', () => deed(id, name, body));
  }
  await rejectsWith('license-state', () => service.api.patch(path(id), { nodes: 1 }));
  assert.deepEqual(await service.api.get(path(id)), before);
  await rejectsWith('not-found', () => deed('lic-unknown', 'resume'));
});

test('a trial has an end, says so in its document, and becomes an ordinary license when it is renewed', async () => {
  await rejectsWith('request-invalid', () => service.issue({ trial: true }));
  const { id } = await service.issue({ trial: true, expiresAt: '2098-01-01T00:00:00.000Z' });
  const trial = await service.api.get<LicenseView>(path(id));
  assert.equal(trial.type, 'trial');
  assert.equal((await documentOf(id)).trial, true);
  const term = await deed(id, 'renew', { expiresAt: '2099-01-01T00:00:00.000Z' });
  assert.deepEqual([term.type, term.expiresAt], ['term', '2099-01-01T00:00:00.000Z']);
  assert.equal((await documentOf(id)).trial, undefined);
  const perpetual = await deed(id, 'renew', { expiresAt: null });
  assert.deepEqual([perpetual.type, perpetual.expiresAt], ['perpetual', null]);
  assert.equal((await documentOf(id)).expiresAt, undefined);
  await rejectsWith('request-invalid', () => deed(id, 'renew', { expiresAt: '2020-01-01T00:00:00Z' }));
});

test('each document was issued later than the one before, whatever the clock says: sites take it', async () => {
  const { id } = await service.issue();
  let last = await documentOf(id);
  for (const nodes of [7, 8, 9]) {
    await service.api.patch(path(id), { nodes });
    const next = await documentOf(id);
    assert.ok(next.issuedAt > last.issuedAt);
    assert.equal(next.limits.nodes, nodes);
    assert.deepEqual({ ...next, limits: last.limits, issuedAt: last.issuedAt }, last, 'nothing else changes');
    last = next;
  }
});

test('a license that says nothing new has a document that sites of before can read', async () => {
  const { id } = await service.issue();
  const fields = Object.keys(await documentOf(id));
  for (const field of ['trial', 'overage', 'expiry', 'floating']) assert.ok(!fields.includes(field), field);
  const policies = { overage: 'warn', expiry: { strategy: 'grace', days: 30 }, floating: true };
  await service.api.patch(path(id), policies);
  const { overage, expiry, floating } = await documentOf(id);
  assert.deepEqual({ overage, expiry, floating }, policies);
  await service.api.patch(path(id), { overage: 'refuse', expiry: null, floating: false });
  assert.deepEqual(Object.keys(await documentOf(id)), fields);
});

test('a change of what somebody else has changed meanwhile is refused; what is not named stays', async () => {
  const { id } = await service.issue({ features: ['gpu'], channels: ['stable', 'edge'] });
  const patch = (revision: string, body: object) =>
    request(service.url)
      .patch(path(id))
      .set('authorization', `Bearer ${service.token}`)
      .set('if-match', revision)
      .send(body);
  const seen = (await request(service.url).get(path(id)).set('authorization', `Bearer ${service.token}`).expect(200))
    .headers['etag'] as string;
  const { body } = await patch(seen, { nodes: 5 }).expect(200);
  assert.deepEqual([body.nodes, body.features, body.channels], [5, ['gpu'], ['stable', 'edge']]);
  assert.equal((await patch(seen, { nodes: 6 }).expect(412)).body.code, 'precondition-failed');
  assert.equal((await service.api.get<LicenseView>(path(id))).nodes, 5);
  await service.api.patch(path(id), { nodes: 7 }, body.revision);
  await rejectsWith('precondition-failed', () => service.api.patch(path(id), { nodes: 8 }, body.revision));
});

test('changes made at once are all made: none is lost to another', async () => {
  const { id } = await service.issue();
  const changes = [{ nodes: 11 }, { sites: 12 }, { features: ['a'] }, { overage: 'warn' }, { channels: ['edge'] }];
  await Promise.all(changes.map(change => service.api.patch(path(id), change)));
  const after = await service.api.get<LicenseView>(path(id));
  for (const change of changes) assert.deepEqual({ ...after, ...change }, after);
  assert.equal(after.revision, 1 + changes.length);
  const { limits, features, overage, channels } = await documentOf(id);
  assert.deepEqual(
    { limits, features, overage, channels },
    { limits: { nodes: 11, sites: 12 }, features: ['a'], overage: 'warn', channels: ['edge'] },
  );
});

test('a license loses a channel: its releases are not opened any more, though a wrap was made', async () => {
  const { id } = await service.issue({ channels: ['stable', 'edge'] });
  await service.api.get(path(id, `/wraps/${manifest}`));
  await service.api.patch(path(id), { channels: ['edge'] });
  await rejectsWith('license-refused', () => service.api.get(path(id, `/wraps/${manifest}`)));
});

test('a license is transferred: with its sites, or with all of its seats free', async () => {
  const { id, file } = await service.issue();
  await activate(siteOf(file));
  const kept = await deed(id, 'transfer', { customer: 'Bcme' });
  assert.deepEqual([kept.customer, kept.usage.sites], ['Bcme', 1]);
  assert.equal((await documentOf(id)).customer, 'Bcme');
  await rejectsWith('license-refused', () => activate(siteOf(file)));
  const freed = await deed(id, 'transfer', { customer: 'Ccme', releaseSites: true });
  assert.deepEqual([freed.customer, freed.usage.sites], ['Ccme', 0]);
  await activate(siteOf(file));
});

test('the history of a license is what was done to it, newest first, in pages, without from where', async () => {
  const { id } = await service.issue();
  await deed(id, 'suspend', { reason: 'unpaid' });
  await deed(id, 'resume');
  await service.api.patch(path(id), { nodes: 3, expiry: { strategy: 'grace', days: 5 } });
  await deed(id, 'transfer', { customer: 'Bcme' });
  await deed(id, 'renew', { expiresAt: null });
  const done = await service.api.all<HistoryEntry>(path(id, '/history'));
  assert.deepEqual(
    done.map(({ action }) => action),
    ['renew', 'transfer', 'change', 'resume', 'suspend', 'issue'].map(name => `license.${name}`),
  );
  assert.deepEqual(done[2]?.details, { nodes: 3, expiry: 'grace of 5 days' });
  assert.deepEqual(done[1]?.details, { from: 'Acme', to: 'Bcme', sites: 0 });
  for (const entry of done) assert.deepEqual(Object.keys(entry), ['number', 'at', 'actor', 'action', 'details']);
  type Page = { items: HistoryEntry[]; next: string };
  const first = await service.api.get<Page>(path(id, '/history?limit=4'));
  const second = await service.api.get<Page>(path(id, `/history?limit=4&cursor=${first.next}`));
  assert.deepEqual([...first.items, ...second.items], done);
});

test('every deed is told to who listens, with what it did', async () => {
  await service.api.post('/v1/webhooks', { url: 'https://example.com/hook', events: ['*'] });
  const { id } = await service.issue();
  await deed(id, 'suspend', { reason: 'unpaid' });
  await deed(id, 'resume');
  await service.api.patch(path(id), { nodes: 3 });
  await deed(id, 'transfer', { customer: 'Bcme' });
  await deed(id, 'renew', { expiresAt: null });
  const rows = (await service.query(
    `select type, payload from webhook_deliveries where payload like '%${id}%' order by created_at, id`,
  )) as { type: string; payload: string }[];
  const told = new Map(rows.map(({ type, payload }) => [type, JSON.parse(payload).data]));
  const license = { license: id };
  assert.deepEqual(told.get('license.suspended'), { ...license, reason: 'unpaid' });
  assert.deepEqual(told.get('license.resumed'), license);
  assert.deepEqual(told.get('license.changed'), { ...license, changed: ['nodes'] });
  assert.deepEqual(told.get('license.transferred'), { ...license, from: 'Acme', customer: 'Bcme', sites: 0 });
  assert.deepEqual(told.get('license.renewed'), { ...license, expiresAt: null });
});
