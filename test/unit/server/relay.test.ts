// A relay between a service and its sites: it holds what they would fetch, no key to it, and is believed by nobody.
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { readCatalog } from '../../../agent/relay/catalog.ts';
import { makePass, readPass } from '../../../agent/relay/pass.ts';
import { startRelay } from '../../../agent/relay/run.ts';
import { feedReader } from '../../../agent/update/feed-reader.ts';
import { pskConnection } from '../../../agent/update/psk-connection.ts';
import { type ServiceLine, serviceLine } from '../../../agent/update/service-line.ts';
import { newSite, readSite, writeSite } from '../../../agent/update/site.ts';
import { UpdateWatcher } from '../../../agent/update/watcher.ts';
import { feedPaths, filesystemStore } from '../../../bundles/index.ts';
import { fromBase64url, pskOf, sha256Hex } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { type Fault, faultyServer, HONEST } from '../../support/faulty-server.ts';
import { freePorts } from '../../support/processes.ts';
import { activatedSite, takeThrough, testRelay, withoutService } from '../../support/relay.ts';
import { startTestService, type TestService } from '../../support/service.ts';
import { temporary } from '../../support/temporary.ts';

let service: TestService;
before(async () => {
  service = await startTestService();
  await service.publish('1.0.0');
});
after(() => service.close());

async function filesBelow(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
}

/** All that a relay serves, by path: for a server that lies about some of it. */
async function servedFiles(directory: string): Promise<Map<string, Uint8Array>> {
  const store = filesystemStore(join(directory, 'objects'));
  const files = new Map<string, Uint8Array>();
  for await (const { digest } of store.list()) files.set(feedPaths.object(digest).slice(1), await store.get(digest));
  const { answers } = (await readCatalog(directory)) ?? assert.fail('no catalog');
  for (const [path, { sha256 }] of Object.entries(answers)) files.set(path.slice(1), await store.get(sha256));
  return files;
}

test('the service is away: a site takes a release through a relay, and tells it nothing of itself', async t => {
  const { file, site } = await activatedSite(service);
  const relay = await testRelay(t, file);
  const { catalog, fetchedBytes } = await relay.sync();
  assert.deepEqual(
    catalog.releases.map(({ version }) => version),
    ['1.0.0'],
  );
  assert.ok(fetchedBytes > 0);
  const gone = await withoutService(site);
  const url = await relay.listen();
  const { release } = await takeThrough(t, gone, [url]);
  assert.equal(release.document.version, '1.0.0');
  assert.deepEqual(Object.keys(release.bySource), [`relay ${url}`]);

  const watched = await faultyServer(t, await servedFiles(relay.directory));
  assert.equal((await takeThrough(t, gone, [watched.url])).release.document.version, '1.0.0');
  const told = JSON.stringify(watched.asked.map(({ path, headers }) => [path, headers]));
  for (const secret of [site.site, site.licenseId, site.license, site.entitlementSecret, site.publicKey]) {
    assert.ok(!told.includes(secret));
  }
});

test('with the service and a relay, every segment comes from the relay', async t => {
  const { file, site } = await activatedSite(service);
  const relay = await testRelay(t, file);
  await relay.sync();
  const url = await relay.listen();
  const { release, dropped } = await takeThrough(t, site, [url]);
  assert.deepEqual(Object.keys(release.bySource), [`relay ${url}`]);
  assert.deepEqual(dropped, []);
});

test('a relay that lies in any kind of file is refused and named, and the next source is taken', async t => {
  const { file, site } = await activatedSite(service);
  const relay = await testRelay(t, file);
  await relay.sync();
  const files = await servedFiles(relay.directory);
  const honest = await relay.listen();
  const kinds: Readonly<Record<string, RegExp>> = {
    timestamp: /metadata\/timestamp\.json$/,
    snapshot: /metadata\/\d+\.snapshot\.json$/,
    targets: /metadata\/\d+\.targets\.json$/,
    channel: /metadata\/\d+\.cloud\.stable\.json$/,
    documents: /^v1\/targets\//,
    objects: /^v1\/objects\//,
  };
  for (const [kind, path] of Object.entries(kinds)) {
    let lies = 0;
    const damage = ({ path: asked }: { readonly path: string }): Fault => {
      if (!path.test(asked)) return HONEST;
      lies++;
      return { kind: 'damaged' };
    };
    const liar = await faultyServer(t, files, damage);
    const { release, dropped } = await takeThrough(t, await withoutService(site), [liar.url, honest]);
    assert.equal(release.document.version, '1.0.0', kind);
    assert.ok(lies > 0, kind);
    assert.ok(
      dropped.some(({ name }) => name === `relay ${liar.url}`),
      `${kind}: ${JSON.stringify(dropped)}`,
    );
  }
  const words: readonly RegExp[] = [/^v1\/wraps\//, /^v1\/director$/, /^v1\/license$/];
  for (const path of words) {
    const liar = await faultyServer(t, files, asked => (path.test(asked.path) ? { kind: 'damaged' } : HONEST));
    const { release } = await takeThrough(t, await withoutService(site), [liar.url, honest]);
    assert.equal(release.document.version, '1.0.0', String(path));
  }
});

test('a relay that lacks files, is empty or does not answer: the next source is taken', async t => {
  const { file, site } = await activatedSite(service);
  const relay = await testRelay(t, file);
  await relay.sync();
  const files = await servedFiles(relay.directory);
  const honest = await relay.listen();
  const empty = await (await testRelay(t, file)).listen();
  const [port] = (await freePorts([0])) as [number];
  const missing: readonly RegExp[] = [/^v1\/objects\//, /^v1\/wraps\//, /^v1\/targets\//, /snapshot/, /director/];
  const lacking = missing.map(async path => {
    const fault = (asked: { readonly path: string }): Fault =>
      path.test(asked.path) ? { kind: 'status', status: 404 } : HONEST;
    return (await faultyServer(t, files, fault)).url;
  });
  const gone = await withoutService(site);
  for (const url of [empty, `http://127.0.0.1:${port}`, ...(await Promise.all(lacking))]) {
    const { release } = await takeThrough(t, gone, [url, honest]);
    assert.equal(release.document.version, '1.0.0', url);
  }
});

test('a stale relay: with older metadata than is known it is refused, with expired metadata too, and the next source is taken', async t => {
  const own = await startTestService();
  t.after(() => own.close());
  await own.publish('1.0.0');
  const { file, site } = await activatedSite(own);
  const stale = await testRelay(t, file);
  await stale.sync();
  await own.publish('1.1.0');
  const fresh = await testRelay(t, file);
  await fresh.sync();
  const [old, current] = [await stale.listen(), await fresh.listen()];
  const gone = await withoutService(site);

  const behind = await takeThrough(t, gone, [old, current]);
  assert.equal(behind.release.document.version, '1.1.0', 'the newest that verifies is followed, whoever comes first');
  await rejectsWith('metadata-version', () => takeThrough(t, gone, [old], behind.directory));

  const later = new Date(Date.now() + 30 * 24 * 3600_000);
  const { message } = await rejectsWith('metadata-expired', () =>
    takeThrough(t, gone, [old, current], undefined, later),
  );
  for (const url of [old, current]) assert.ok(message.includes(`relay ${url}: `), 'each is named');
  await rejectsWith('metadata-expired', () => stale.sync({ now: later }));
  assert.equal((await readCatalog(stale.directory))?.releases.at(-1)?.version, '1.0.0', 'what was there stays');
  assert.equal((await takeThrough(t, site, [old])).release.document.version, '1.1.0', 'the service is the next source');
});

test('a relay takes no older word of the service than it has, and keeps what it has', async t => {
  const { file } = await activatedSite(service);
  const relay = await testRelay(t, file);
  const { catalog } = await relay.sync();
  const ahead = { ...catalog, director: { ...catalog.director, sequence: 10 ** 9 } };
  await writeFile(join(relay.directory, 'relay.json'), JSON.stringify(ahead));
  await rejectsWith('director-older', () => relay.sync());
  assert.deepEqual(await readCatalog(relay.directory), ahead);
});

test('the folder of a relay holds no key, and nothing that a release says', async t => {
  const { file, site } = await activatedSite(service);
  const relay = await testRelay(t, file);
  await relay.sync();
  const secrets: Readonly<Record<string, readonly Buffer[]>> = {
    entitlement: [Buffer.from(site.entitlementSecret), fromBase64url(site.entitlementSecret)],
    pass: [Buffer.from(relay.pass.key), fromBase64url(relay.pass.key)],
    site: [Buffer.from(site.privateKey)],
    'private key': [Buffer.from('PRIVATE KEY')],
  };
  const { directory } = await takeThrough(t, site, []);
  const [plain] = (await filesBelow(join(directory, 'releases')))
    .filter(path => !path.endsWith('.json'))
    .toSorted((a, b) => b.length - a.length);
  assert.ok(plain !== undefined, 'there is something to look for');
  const content = (await readFile(plain)).subarray(0, 64);
  const paths = await filesBelow(relay.directory);
  assert.ok(paths.length > 10);
  for (const path of paths) {
    const bytes = await readFile(path);
    for (const [what, forms] of Object.entries(secrets)) {
      for (const form of forms) assert.ok(!bytes.includes(form), `${what} in ${path}`);
    }
    assert.ok(!bytes.includes(content), `what ${plain} says stands in ${path}`);
  }
});

test('a pass reads what sites of its license would, and does nothing else', async t => {
  const { id, file, site } = await activatedSite(service, { sites: 2, floating: true });
  const { pass } = await testRelay(t, file);
  const line = (identity: string, psk: Buffer) => {
    const opened = serviceLine(pskConnection(site.feed, { identity, psk, credential: 'pass' }));
    t.after(() => opened.close());
    return opened;
  };
  const reading = (opened: ServiceLine) =>
    feedReader(opened, feedPaths.directorForAll).metadata('timestamp.json', 65_536);
  const [passKey, siteKey] = [fromBase64url(pass.key), pskOf(fromBase64url(site.entitlementSecret))];
  const relay = line(`relay:${id}`, passKey);
  assert.ok(await reading(relay));
  const activation = { site: `site-${'7'.repeat(16)}`, name: 'false', publicKey: site.publicKey };
  for (const [path, body] of [
    [feedPaths.activations, activation],
    [feedPaths.reports, {}],
    [feedPaths.seats, { site: site.site, nodes: 1 }],
  ] as const) {
    const error = await rejectsWith('license-refused', () => relay.post(path, body));
    assert.match(error.message, /may read, and nothing else/, path);
  }
  const word = feedReader(relay, feedPaths.director(site.site));
  await rejectsWith('license-refused', () => word.director());

  const other = (await service.issue()).id;
  const keys: readonly (readonly [string, Buffer])[] = [
    [id, passKey],
    [`relay:${id}`, siteKey],
    [`relay:${other}`, passKey],
    ['relay:', passKey],
    [`relay:relay:${id}`, passKey],
  ];
  for (const [identity, psk] of keys) await rejectsWith('feed-refused', () => reading(line(identity, psk)));
  await service.api.post(`/v1/licenses/${id}/revoke`, {});
  await rejectsWith('license-refused', () => reading(relay));
  await rejectsWith('feed-refused', () => reading(line(`relay:${id}`, passKey)));
});

test('a pass is made of a license file and says nothing of its secret; a license file is no pass', async t => {
  const { file } = await service.issue();
  const directory = await temporary(t);
  const [license, pass] = [join(directory, 'license.json'), join(directory, 'pass.json')];
  await writeFile(license, JSON.stringify(file));
  const made = makePass(file);
  assert.ok(!JSON.stringify(made).includes(file.entitlementSecret));
  assert.ok(!JSON.stringify(made).includes(pskOf(fromBase64url(file.entitlementSecret)).toString('base64url')));
  await writeFile(pass, JSON.stringify(made));
  assert.deepEqual(await readPass(pass), made);
  const { message } = await rejectsWith('relay-pass', () => readPass(license));
  assert.match(message, /holds the key of a license/);
  assert.ok(!message.includes(file.entitlementSecret));
  for (const text of ['', '{}', 'null', JSON.stringify({ ...made, key: 'short' })]) {
    await writeFile(pass, text);
    await rejectsWith('relay-pass', () => readPass(pass));
  }
  await rejectsWith('relay-pass', () => readPass(join(directory, 'none')));
});

test('what a relay answers: read only, in parts, under an ETag, and nothing but what is in its catalog', async t => {
  const { file } = await activatedSite(service);
  const relay = await testRelay(t, file);
  const url = await relay.listen();
  const status = async (path: string, init: RequestInit = {}) => (await fetch(`${url}${path}`, init)).status;
  assert.equal(await status('/v1/relay'), 404, 'nothing yet');
  const { catalog } = await relay.sync();
  const timestamp = await fetch(`${url}/v1/metadata/timestamp.json`);
  const etag = timestamp.headers.get('etag') ?? '';
  const text = await timestamp.text();
  assert.equal(etag, `"${sha256Hex(text)}"`);
  assert.equal(await status('/v1/metadata/timestamp.json', { headers: { 'if-none-match': etag } }), 304);
  const object = `/v1/objects/${catalog.releases[0]?.manifest.sha256}`;
  const part = await fetch(`${url}${object}`, { headers: { range: 'bytes=10-' } });
  assert.equal(part.status, 206);
  assert.equal((await part.arrayBuffer()).byteLength, (catalog.releases[0]?.manifest.size ?? 0) - 10);
  const head = await fetch(`${url}${object}`, { method: 'HEAD' });
  assert.equal(head.headers.get('cache-control'), 'public, max-age=31536000, immutable');
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) assert.equal(await status(object, { method }), 405, method);
  for (const path of [
    '/',
    '/relay.json',
    '/v1/objects/../relay.json',
    '/v1/objects/%2e%2e%2frelay.json',
    `/v1/objects/${'0'.repeat(64)}`,
    '/v1/metadata/__proto__',
    '/__proto__',
    '/v1/reports',
    '/v1/object-urls',
    '//v1/relay',
  ]) {
    assert.equal(await status(path), 404, path);
  }
  const shown = JSON.stringify(await (await fetch(`${url}/v1/relay`)).json());
  assert.match(shown, /"version":"1\.0\.0"/);
  assert.ok(!shown.includes(catalog.license));
});

test('a second sync fetches only what is new; what no release needs is removed one sync later', async t => {
  const own = await startTestService();
  t.after(() => own.close());
  await own.publish('1.0.0');
  const { file } = await activatedSite(own);
  const relay = await testRelay(t, file);
  const first = await relay.sync({ newest: 1 });
  const again = await relay.sync({ newest: 1 });
  assert.equal(again.fetchedBytes, 0);
  assert.equal(again.removedBytes, 0);
  await own.publish('1.1.0', { notes: 'others' });
  const second = await relay.sync({ newest: 1 });
  assert.deepEqual(
    second.catalog.releases.map(({ version }) => version),
    ['1.1.0'],
  );
  assert.ok(second.reusedBytes > 0, 'segments that both have are not fetched again');
  const store = filesystemStore(join(relay.directory, 'objects'));
  const old = first.catalog.releases[0]?.manifest.sha256 as string;
  assert.ok(await store.size(old), 'a site may be fetching it');
  const third = await relay.sync({ newest: 1 });
  assert.ok(third.removedBytes > 0);
  assert.equal(await store.size(old), undefined);
});

test('what is damaged on the disk of a relay is fetched again, on demand', async t => {
  const { file, site } = await activatedSite(service);
  const relay = await testRelay(t, file);
  const { catalog } = await relay.sync();
  const store = filesystemStore(join(relay.directory, 'objects'));
  const manifest = catalog.releases[0]?.manifest ?? assert.fail();
  const path = join(relay.directory, 'objects', manifest.sha256.slice(0, 2), manifest.sha256);
  await writeFile(path, Buffer.from(await readFile(path)).fill(0x5a, 100));
  const url = await relay.listen();
  await assert.rejects(takeThrough(t, await withoutService(site), [url]));
  assert.equal((await takeThrough(t, site, [url])).release.document.version, '1.0.0');
  await relay.sync({ verifyHeld: true });
  assert.equal((await store.get(manifest.sha256)).length, manifest.size);
  assert.equal((await takeThrough(t, await withoutService(site), [url])).release.document.version, '1.0.0');
});

test('a folder of something else, another license, or two syncs at once are refused', async t => {
  const { file } = await activatedSite(service);
  const other = await activatedSite(service);
  const relay = await testRelay(t, file);
  const taken = await temporary(t);
  await writeFile(join(taken, 'thesis.txt'), 'mine');
  await rejectsWith('relay-occupied', () => relay.sync({ directory: taken }));
  assert.deepEqual(await readdir(taken), ['thesis.txt']);
  await relay.sync();
  await rejectsWith('relay-occupied', async () => relay.sync({ pass: (await testRelay(t, other.file)).pass }));
  const results = await Promise.allSettled([relay.sync(), relay.sync()]);
  const codes = results.map(result => (result.status === 'rejected' ? result.reason.code : 'done'));
  assert.deepEqual(codes.toSorted(), ['done', 'relay-busy']);
  await rejectsWith('license-refused', () => relay.sync({ channels: ['nightly'] }));
});

test('a relay that runs syncs by itself, says why a sync failed, and serves on', async t => {
  const { file, site } = await activatedSite(service);
  const { directory, pass } = await testRelay(t, file);
  const synced = Promise.withResolvers<void>();
  const failed = Promise.withResolvers<string>();
  const options = { directory, pass, host: '127.0.0.1', port: 0, now: () => new Date() };
  const heard = { onSynced: () => synced.resolve(), onFailed: synced.reject };
  const first = await startRelay({ ...options, syncEveryMs: 3600_000, ...heard });
  await synced.promise;
  await first.close();
  const [port] = (await freePorts([0])) as [number];
  const lonely = { ...pass, feed: { ...pass.feed, port } };
  const onFailed = ({ code }: { readonly code: string }) => failed.resolve(code);
  const relay = await startRelay({ ...options, pass: lonely, syncEveryMs: 3600_000, onFailed });
  t.after(() => relay.close());
  assert.equal(await failed.promise, 'feed-unreachable');
  const { release } = await takeThrough(t, await withoutService(site), [relay.url]);
  assert.equal(release.document.version, '1.0.0');
});

async function watcherOf(t: TestContext, url: string, site: Parameters<typeof writeSite>[1]) {
  const directory = await temporary(t);
  await writeSite(directory, site);
  const rest = { mirrors: [], peers: [], agentVersion: '1.0.0', log: pino({ level: 'silent' }) };
  const clock = { now: () => new Date(), onChange: () => undefined };
  return new UpdateWatcher({ directory, site: await readSite(directory), relays: [url], ...rest, ...clock });
}

test('a look while the service is away: the bulletin comes from the relay; a second look asks for it alone', async t => {
  const { file, site } = await activatedSite(service);
  const relay = await testRelay(t, file);
  await relay.sync();
  const server = await faultyServer(t, await servedFiles(relay.directory));
  const watcher = await watcherOf(t, server.url, await withoutService(site));
  await watcher.check();
  assert.equal(watcher.status.phase, 'idle', JSON.stringify(watcher.status));
  assert.equal(watcher.newest?.document.version, '1.0.0');
  const bulletin = feedPaths.bulletin('cloud', 'stable').slice(1);
  assert.ok(server.asked.some(({ path }) => path === bulletin));
  server.asked.length = 0;
  await watcher.check();
  assert.deepEqual(
    server.asked.map(({ path }) => path),
    [bulletin],
  );
});

test('a bulletin of a relay that cannot be believed counts for nothing, and the update goes on', async t => {
  const { file, site } = await activatedSite(service);
  const relay = await testRelay(t, file);
  await relay.sync();
  const files = await servedFiles(relay.directory);
  const bulletin = feedPaths.bulletin('cloud', 'stable').slice(1);
  const server = await faultyServer(t, files, ({ path }) => (path === bulletin ? { kind: 'damaged' } : HONEST));
  const watcher = await watcherOf(t, server.url, await withoutService(site));
  await watcher.check();
  assert.ok(server.asked.some(({ path }) => path === bulletin));
  assert.equal(watcher.status.phase, 'idle', JSON.stringify(watcher.status));
  assert.equal(watcher.newest?.document.version, '1.0.0');
});

test('a relay stands in for a service that is silent, and not for one that refuses the license', async t => {
  const { id, file, site } = await activatedSite(service);
  const relay = await testRelay(t, file);
  await relay.sync();
  const url = await relay.listen();
  await service.api.post(`/v1/licenses/${id}/revoke`, {});
  await rejectsWith('feed-refused', () => takeThrough(t, site, [url]));
  await rejectsWith('feed-refused', () => relay.sync());
});

test('a site of another license gets nothing out of a relay that it can open', async t => {
  const { file } = await activatedSite(service);
  const other = await activatedSite(service);
  const relay = await testRelay(t, file);
  await relay.sync();
  const url = await relay.listen();
  const stranger = newSite(other.file, { name: 'stranger', connected: true });
  await assert.rejects(takeThrough(t, await withoutService(stranger), [url]), { code: 'director-invalid' });
});
