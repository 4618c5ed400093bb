// Support bundles on their way and at the service: taken whole from their own site only, kept sealed and within bounds, opened by who may.
import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { writeReceipt } from '../../../../agent/report.ts';
import { sendBundle, writeBundle } from '../../../../agent/support/bundle.ts';
import { supportContents } from '../../../../agent/support/contents.ts';
import { feedClient } from '../../../../agent/update/feed-client.ts';
import { readReportKey } from '../../../../agent/update/report-key.ts';
import { newSite, type Site } from '../../../../agent/update/site.ts';
import {
  deliverSupportBundle,
  filesystemStore,
  openSupportParts,
  parseSupportFile,
  type SupportBundle,
  type SupportFile,
  type SupportKey,
  type SupportTaker,
  sealSupportBundle,
  supportBundleId,
} from '../../../../bundles/index.ts';
import { newToken } from '../../../../server/access/tokens.ts';
import { siteCommand } from '../../../../server/cli/site.ts';
import { type Context, tenantOf } from '../../../../server/context.ts';
import { openDatabase } from '../../../../server/db/database.ts';
import { type ApiClient, apiClient } from '../../../../server/pipeline/api-client.ts';
import { neededObjects } from '../../../../server/releases/garbage.ts';
import { forgetBundles, type SupportBundleView } from '../../../../server/support/bundles.ts';
import { announceBundle } from '../../../../server/support/receive.ts';
import { openVault } from '../../../../server/vault.ts';
import { type SealedMessage, sealMessage, sha256Hex } from '../../../../signing/index.ts';
import { flipped } from '../../../support/damage.ts';
import { rejectsWith } from '../../../support/errors.ts';
import { objectPaths } from '../../../support/object-paths.ts';
import { connectedSite, cutOffSite, type ReportingSite, saidBy } from '../../../support/reporting-site.ts';
import { runCommand } from '../../../support/run-command.ts';
import { startTestService, type TestService } from '../../../support/service.ts';

let service: TestService;
let context: Context;
before(async () => {
  service = await startTestService();
  await service.publish('1.0.0');
  const data = join(service.directory, 'data');
  context = {
    db: openDatabase(await service.connection()),
    vault: await openVault(data, undefined),
    storageOf: () => filesystemStore(join(data, 'blobs')),
    now: () => new Date(),
  } as unknown as Context;
});
after(async () => {
  await context.db.destroy();
  await service.close();
});

const LIMITS = { days: 30, quotaBytes: 10 * 1024 ** 3 };
const SMALL = [{ name: 'contents.json', bytes: Buffer.from('{}\n') }];
/** Three parts. */
const LARGE = [...SMALL, { name: 'agent.log', bytes: randomBytes(2_500_000) }];

const newSiteOf = async (t: TestContext) => connectedSite(t, (await service.issue()).file);
const pathOf = ({ site }: ReportingSite, rest = '') => `/v1/sites/${site.site}/support-bundles${rest}`;
const listed = (site: ReportingSite) => service.api.all<SupportBundleView>(pathOf(site));

async function sealed(site: ReportingSite, files: readonly SupportFile[] = SMALL, by: Site = site.site) {
  const keySet = (await readReportKey(site.directory)) as Buffer;
  const subject = { site: site.site.site, at: new Date(), agentVersion: '7', note: 'ticket 4711' };
  return sealSupportBundle(subject, files, createPrivateKey(by.privateKey), keySet);
}

/** Hands it over the site's connection; `change` stands in the way. */
async function deliver({ site }: ReportingSite, bundle: SupportBundle, change: Partial<SupportTaker> = {}) {
  const feed = feedClient(site);
  try {
    return await deliverSupportBundle(bundle, { ...feed.support, ...change });
  } finally {
    feed.close();
  }
}

function importer(api: ApiClient): SupportTaker {
  return {
    announce: head => api.post('/v1/support-bundles', head),
    put: (id, digest, part) => api.put(`/v1/support-bundles/${id}/parts/${digest}`, part),
  };
}

async function opened(site: ReportingSite, id: string): Promise<readonly SupportFile[]> {
  const key = await service.api.get<SupportKey>(pathOf(site, `/${id}/key`));
  const file = (await service.api.bytes(pathOf(site, `/${id}/content`))) as Buffer;
  return openSupportParts(key, parseSupportFile(file).parts);
}

async function tokenWith(scopes: readonly string[], change: object = {}): Promise<ApiClient> {
  const order = { name: `t-${randomBytes(4).toString('hex')}`, scopes, ...change };
  const { token } = await service.api.post<{ token: string }>('/v1/tokens', order);
  return apiClient(service.url, token);
}

/** Makes every stored object look a week old, and takes what nothing needs. */
async function collected(): Promise<number> {
  const longAgo = new Date(Date.now() - 7 * 24 * 3600_000);
  await service.query('delete from leases');
  for (const path of await objectPaths(join(service.directory, 'data', 'blobs'))) await utimes(path, longAgo, longAgo);
  return (await service.api.post<{ objects: number }>('/v1/garbage', { graceSeconds: 60 })).objects;
}

test('a bundle made at a site is sent, listed, opened and removed, and every step is written down', async t => {
  const site = await newSiteOf(t);
  const { directory } = site;
  const hook = { url: 'https://example.com/hook', events: ['support-bundle.received'] };
  const { id: webhook } = await service.api.post<{ id: string }>('/v1/webhooks', hook);
  t.after(() => service.api.remove(`/v1/webhooks/${webhook}`));
  const state = async () => ({ site: { id: site.site.site } });
  const source = { directory, site: site.site, agentVersion: '7', now: new Date(), state };
  const contents = await supportContents(source, 'ticket 4711');
  const path = join(directory, 'bundle');
  const { id } = await writeBundle(path, source, contents);
  assert.deepEqual(await listed(site), []);

  assert.deepEqual(await sendBundle(path, site.site, () => undefined), { id, site: site.site.site, isNew: true });
  const [bundle] = await listed(site);
  assert.deepEqual([bundle?.id, bundle?.via, bundle?.note], [id, 'connection', 'ticket 4711']);
  assert.deepEqual(
    bundle?.files,
    contents.files.map(({ name, bytes }) => ({ name, bytes: bytes.length })),
  );
  assert.deepEqual(await service.api.get(pathOf(site, `/${id}`)), bundle);
  assert.deepEqual(await service.api.bytes(pathOf(site, `/${id}/content`)), await readFile(path), 'as it was sealed');

  const out = join(directory, 'looked-at');
  const { value } = await runCommand(service, siteCommand, 'support', 'get', site.site.site, '--out', out);
  assert.equal(value.id, id, 'the newest');
  for (const { name, bytes } of contents.files) assert.deepEqual(await readFile(join(out, name)), bytes, name);
  await rejectsWith('file-exists', () =>
    runCommand(service, siteCommand, 'support', 'get', site.site.site, id, '--out', out),
  );
  await runCommand(service, siteCommand, 'support', 'remove', site.site.site, id);
  assert.deepEqual(await listed(site), []);

  const entries = await service.api.all<{ action: string; actor: string; subject: string }>('/v1/audit');
  const deeds = entries.filter(({ subject }) => subject === id).map(({ action, actor }) => `${action} ${actor}`);
  assert.deepEqual(deeds.toSorted(), [
    'support-bundle.open token:admin',
    'support-bundle.open token:admin',
    `support-bundle.receive license:${site.site.licenseId}`,
    'support-bundle.remove token:admin',
  ]);
  const [event] = (await service.query(`select payload from webhook_deliveries where webhook_id = '${webhook}'`)) as {
    payload: string;
  }[];
  const { name, licenseId: license } = site.site;
  assert.deepEqual(JSON.parse(event?.payload ?? '').data, {
    bundle: id,
    site: site.site.site,
    name,
    license,
    bytes: bundle?.bytes,
  });
});

test('the same bundle sent twice is one, also when both are under way at once', async t => {
  const site = await newSiteOf(t);
  const bundle = await sealed(site, LARGE);
  await Promise.all([deliver(site, bundle), deliver(site, bundle), deliver(site, bundle)]);
  let sent = 0;
  const put = async () => void sent++;
  const { isNew } = await deliver(site, bundle, { put });
  assert.deepEqual([isNew, sent, (await listed(site)).length], [false, 0, 1]);
  const id = supportBundleId(bundle.head);
  const entries = await service.api.all<{ subject: string }>('/v1/audit');
  assert.equal(entries.filter(({ subject }) => subject === id).length, 1);
});

test('a delivery that breaks off goes on with what is missing; until it is whole, nobody sees it', async t => {
  const site = await newSiteOf(t);
  const bundle = await sealed(site, LARGE);
  const id = supportBundleId(bundle.head);
  const { support } = feedClient(site.site);
  const sent: string[] = [];
  const breaking = {
    put: async (bundleId: string, digest: string, part: Uint8Array) => {
      if (sent.length === 2) throw new Error('the line breaks');
      sent.push(digest);
      await support.put(bundleId, digest, part);
    },
  };
  await assert.rejects(deliver(site, bundle, breaking), /the line breaks/);
  assert.deepEqual(await listed(site), []);
  await rejectsWith('not-found', () => service.api.get(pathOf(site, `/${id}/key`)));
  const again = await support.announce(bundle.head);
  assert.deepEqual(again.missing, bundle.parts.map(sha256Hex).slice(2));
  assert.equal((await deliver(site, bundle)).isNew, true);
  assert.deepEqual(await opened(site, id), LARGE);
});

test('a part of the download is what a Range asks for, across the parts', async t => {
  const site = await newSiteOf(t);
  const { id } = await deliver(site, await sealed(site, LARGE));
  const url = `${service.url}${pathOf(site, `/${id}/content`)}`;
  const fetched = async (range?: string) => {
    const headers = { authorization: `Bearer ${service.token}`, ...(range ? { range } : {}) };
    const response = await fetch(url, { headers });
    return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()) };
  };
  const { bytes: whole } = await fetched();
  const head = whole.indexOf('\n') + 1;
  const ranges = [
    [0, 10],
    [head - 1, head + 1],
    [head + 1024 * 1024 - 5, head + 1024 * 1024 + 5],
    [10, whole.length],
    [whole.length - 1, whole.length],
  ] as const;
  for (const [start, end] of ranges) {
    const { status, bytes } = await fetched(`bytes=${start}-${end - 1}`);
    assert.deepEqual([status, bytes.equals(whole.subarray(start, end))], [206, true], `${start} to ${end}`);
  }
  assert.equal((await fetched(`bytes=${whole.length}-`)).status, 416);
});

test('what was changed on the way is refused, and nothing is kept of it', async t => {
  const site = await newSiteOf(t);
  const bundle = await sealed(site, LARGE);
  const id = supportBundleId(bundle.head);
  const { support } = feedClient(site.site);
  const { ciphertext } = bundle.head;
  const changed = `${ciphertext.slice(0, 40)}${ciphertext[40] === 'A' ? 'B' : 'A'}${ciphertext.slice(41)}`;
  await rejectsWith('feed-failed', () => support.announce({ ...bundle.head, ciphertext: changed }));
  await rejectsWith('support-not-taken', () => support.announce({ ...bundle.head, key: '0'.repeat(64) }));
  assert.deepEqual(await service.query(`select id from support_bundles where site_id = '${site.site.site}'`), []);

  const { missing } = await support.announce(bundle.head);
  const [first, second] = bundle.parts as [Buffer, Buffer];
  const digest = missing[0] as string;
  await rejectsWith('feed-failed', () => support.put(id, digest, flipped(first)));
  await rejectsWith('feed-failed', () => support.put(id, digest, second));
  await rejectsWith('support-not-taken', () => support.put(id, digest, first.subarray(1)));
  await rejectsWith('feed-failed', () => support.put(id, digest, Buffer.concat([first, Buffer.from('x')])));
  await rejectsWith('support-not-taken', () => support.put(id, '0'.repeat(64), first));
  await rejectsWith('support-not-taken', () => support.put('0'.repeat(64), digest, first));
  assert.deepEqual((await support.announce(bundle.head)).missing, missing);
  const stored = (await objectPaths(join(service.directory, 'data', 'blobs'))).join();
  for (const part of bundle.parts) assert.ok(!stored.includes(sha256Hex(part)));
});

test('nobody brings a bundle in the name of another site: neither with its name nor over its license', async t => {
  const file = (await service.issue({ sites: 3 })).file;
  const [site, neighbor] = [await connectedSite(t, file), await connectedSite(t, file)];
  const stranger = await newSiteOf(t);
  // Signed by somebody else, over whichever connection.
  for (const thief of [neighbor, stranger]) {
    const forged = await sealed(site, SMALL, thief.site);
    await rejectsWith('support-not-taken', () => deliver(site, forged));
    await rejectsWith('support-refused', () => deliverSupportBundle(forged, importer(service.api)));
  }
  // Its own, over the connection of another license: neither head nor parts.
  const own = await sealed(site, LARGE);
  await rejectsWith('support-not-taken', () => deliver(stranger, own));
  await feedClient(site.site).support.announce(own.head);
  const [part] = own.parts as [Buffer];
  const { support } = feedClient(stranger.site);
  await rejectsWith('support-not-taken', () => support.put(supportBundleId(own.head), sha256Hex(part), part));
  assert.equal((await deliver(site, own)).isNew, true);
  // A site that was forgotten is heard no more.
  await service.api.remove(`/v1/sites/${neighbor.site.site}`);
  await rejectsWith('support-not-taken', async () => deliver(neighbor, await sealed(neighbor)));
});

test('a report is no support bundle, nor a support bundle a report', async t => {
  const site = await newSiteOf(t);
  const { head } = await sealed(site);
  await rejectsWith('feed-failed', () => site.send(head));
  const report = await site.seal();
  await rejectsWith('feed-failed', () => feedClient(site.site).support.announce(report));
});

test('a site without a network: the file is imported and shown the same way, once its receipt has made it known', async t => {
  const site = await cutOffSite(t, service, await service.issue());
  const { directory } = site;
  const source = { directory, site: site.site, agentVersion: '7', now: new Date(), state: async () => ({}) };
  const path = join(directory, 'bundle');
  const { id } = await writeBundle(path, source, await supportContents(source));
  const importFile = () => runCommand(service, siteCommand, 'support', 'import', path);
  const unknown = await rejectsWith('not-found', importFile);
  assert.match(unknown.message, /import-receipt/);
  await service.api.post('/v1/receipts', await writeReceipt(directory, site.site, saidBy(site.site)));
  assert.deepEqual((await importFile()).value, { id, site: site.site.site, status: 'taken' });
  assert.equal((await importFile()).value.status, 'known');
  const { value, text } = await runCommand(service, siteCommand, 'support', 'list', site.site.site);
  assert.deepEqual([value.length, value[0].id, value[0].via], [1, id, 'file']);
  assert.match(text, new RegExp(id));
  assert.ok((await opened(site, id)).length > 5);

  const [whole, cut] = [join(directory, 'whole'), join(directory, 'cut')];
  await writeBundle(whole, source, await supportContents(source));
  await writeFile(cut, (await readFile(whole)).subarray(0, -10));
  await rejectsWith('support-corrupt', () => runCommand(service, siteCommand, 'support', 'import', cut));
  await rejectsWith('file-unreadable', () =>
    runCommand(service, siteCommand, 'support', 'import', join(directory, 'no')),
  );
});

test('who may not, sees no bundle: scopes, products and organizations', async t => {
  const site = await newSiteOf(t);
  const { id } = await deliver(site, await sealed(site));
  const paths = ['', `/${id}`, `/${id}/key`, `/${id}/content`].map(rest => pathOf(site, rest));
  const reader = await tokenWith(['support:read']);
  for (const path of paths.slice(0, 3)) await reader.get(path);
  await rejectsWith('forbidden', () => reader.remove(pathOf(site, `/${id}`)));
  await rejectsWith('forbidden', async () => deliverSupportBundle(await sealed(site), importer(reader)));

  const others = await tokenWith(['site:read', 'site:write', 'audit:read', 'license:read']);
  for (const path of paths.slice(0, 3)) await rejectsWith('forbidden', () => others.get(path));
  const elsewhere = await tokenWith(['support:read', 'support:write'], { products: ['elsewhere'] });
  for (const path of paths.slice(0, 3)) await rejectsWith('not-found', () => elsewhere.get(path));
  await rejectsWith('not-found', async () => deliverSupportBundle(await sealed(site), importer(elsewhere)));

  const token = newToken();
  await service.query(`insert into organizations (id, name, created_at) values ('org-other', 'Other', now())`);
  await service.query(`insert into tokens (id, organization, name, hash, scopes, created_at)
    values ('tok-other', 'org-other', 'other', '${sha256Hex(token)}', '{support:read,support:write}', now())`);
  const foreign = apiClient(service.url, token);
  for (const path of paths.slice(0, 3)) await rejectsWith('not-found', () => foreign.get(path));
  await rejectsWith('not-found', () => foreign.remove(pathOf(site, `/${id}`)));
  await rejectsWith('support-refused', async () => deliverSupportBundle(await sealed(site), importer(foreign)));
  // A bundle of another site of one's own is not under this one.
  const second = await newSiteOf(t);
  await rejectsWith('not-found', () => service.api.get(pathOf(second, `/${id}/key`)));
});

test('a site brings no more than ten, an organization keeps no more than its quota, and what is removed makes room', async t => {
  const site = await newSiteOf(t);
  const [first] = await Promise.all(Array.from({ length: 10 }, async () => deliver(site, await sealed(site))));
  const { message } = await rejectsWith('support-not-taken', async () => deliver(site, await sealed(site)));
  assert.match(message, /keeps 10 support bundles of site/);
  await service.api.remove(pathOf(site, `/${first?.id}`));
  await deliver(site, await sealed(site));

  const second = await newSiteOf(t);
  const bundle = await sealed(second, LARGE);
  const tenant = tenantOf(context, 'default');
  const bringer = { actor: 'token:admin' } as const;
  const { used } = (await service.query('select sum(bytes) as used from support_bundles'))[0] as { used: string };
  const size = bundle.parts.reduce((sum, { length }) => sum + length, 0);
  const quota = (quotaBytes: number) => announceBundle(tenant, { ...LIMITS, quotaBytes }, bundle.head, bringer);
  await rejectsWith('support-full', () => quota(Number(used) + size - 1));
  assert.equal((await quota(Number(used) + size)).missing.length, bundle.parts.length);
  assert.equal((await quota(0)).state, 'receiving', 'what was let in may come whole');
});

test('bundles go when their time is over, and what never came whole after a day; the rest stays', async t => {
  const site = await newSiteOf(t);
  const [{ id: old }, { id: young }] = [
    await deliver(site, await sealed(site)),
    await deliver(site, await sealed(site)),
  ];
  const half = await sealed(site, LARGE);
  await feedClient(site.site).support.announce(half.head);
  await service.query(`update support_bundles set created_at = now() - interval '31 days' where id = '${old}'`);
  const count = async () =>
    (await service.query(`select id from support_bundles where site_id = '${site.site.site}'`)).length;
  await forgetBundles(context, LIMITS);
  assert.deepEqual([(await listed(site)).map(({ id }) => id), await count()], [[young], 2]);
  const tomorrow = () => new Date(Date.now() + 25 * 3600_000);
  await forgetBundles({ ...context, now: tomorrow }, LIMITS);
  assert.equal(await count(), 1);
  const entries = await service.api.all<{ action: string; subject: string; actor: string }>('/v1/audit');
  const [expired] = entries.filter(({ action }) => action === 'support-bundle.expire');
  assert.deepEqual([expired?.subject, expired?.actor], [old, 'service']);
  assert.equal(entries.filter(({ action }) => action === 'support-bundle.expire').length, 1);
});

test('the collector leaves bundles alone, also such as are still coming, and takes what was removed', async t => {
  const site = await newSiteOf(t);
  await collected();
  const { id } = await deliver(site, await sealed(site, LARGE));
  const half = await sealed(site, LARGE);
  const { support } = feedClient(site.site);
  assert.equal(await collected(), 0);
  await support.announce(half.head);
  const [part] = half.parts as [Buffer];
  await support.put(supportBundleId(half.head), sha256Hex(part), part);
  const longAgo = new Date(Date.now() - 7 * 24 * 3600_000);
  for (const path of await objectPaths(join(service.directory, 'data', 'blobs'))) await utimes(path, longAgo, longAgo);
  const { objects } = await service.api.post<{ objects: number }>('/v1/garbage', { graceSeconds: 60 });
  assert.equal(objects, 0, 'leased, while it is coming');
  assert.deepEqual(await opened(site, id), LARGE);

  // A lease that is over, and a part that is gone: it is asked for again.
  assert.equal(await collected(), 1);
  assert.equal((await deliver(site, half)).isNew, true);
  assert.deepEqual(await opened(site, supportBundleId(half.head)), LARGE);
  await service.api.remove(pathOf(site, `/${id}`));
  assert.equal(await collected(), 3);
});

test('a backup has the parts of bundles that are whole, and waits for none that are coming', async t => {
  const site = await newSiteOf(t);
  const [whole, half] = [await sealed(site, LARGE), await sealed(site, LARGE)];
  await deliver(site, whole);
  await feedClient(site.site).support.announce(half.head);
  const needed = await neededObjects(tenantOf(context, 'default'));
  for (const part of whole.parts) assert.ok(needed.has(sha256Hex(part)));
  for (const part of half.parts) assert.ok(!needed.has(sha256Hex(part)));
});

test('a site that is removed takes its bundles along', async t => {
  const site = await newSiteOf(t);
  const { id } = await deliver(site, await sealed(site));
  await service.api.remove(`/v1/sites/${site.site.site}`);
  assert.deepEqual(await service.query(`select id from support_bundles where id = '${id}'`), []);
});

test('a head that says what cannot be is refused, whoever signed it', async t => {
  const site = await newSiteOf(t);
  const keySet = (await readReportKey(site.directory)) as Buffer;
  const { head } = await sealed(site);
  const announce = (other: SealedMessage) => feedClient(site.site).support.announce(other);
  await rejectsWith('support-not-taken', async () => announce(await sealMessage('support', Buffer.from('x'), keySet)));
  await rejectsWith('feed-failed', () => announce({ ...head, surprise: 1 } as unknown as SealedMessage));
  const large = { ...head, ciphertext: 'A'.repeat(70_000) };
  await rejectsWith('feed-failed', () => announce(large));
  const { privateKey } = generateKeyPairSync('ed25519');
  const subject = { site: newSite((await service.issue()).file, { name: 'x', connected: true }).site };
  const said = { ...subject, at: new Date(), agentVersion: '7' };
  const unknown = await sealSupportBundle(said, SMALL, privateKey, keySet);
  await rejectsWith('support-not-taken', () => announce(unknown.head));
});
