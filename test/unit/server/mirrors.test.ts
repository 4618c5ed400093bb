// A site, its service and web servers with exported media: the whole way from a mirror to a release that lies ready. What the
// service refuses, no mirror gives.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { bootService } from '../../../agent/boot/boot-service.ts';
import { statusText } from '../../../agent/cli/operate-text.ts';
import { startAgent } from '../../../agent/main.ts';
import { feedClient } from '../../../agent/update/feed-client.ts';
import { mirrorSource } from '../../../agent/update/mirror.ts';
import { peerSource } from '../../../agent/update/peer.ts';
import { newSite, type Site, writeSite } from '../../../agent/update/site.ts';
import { takeUpdate } from '../../../agent/update/take.ts';
import { exportMedia } from '../../../airgap/index.ts';
import { type DroppedSource, FragmentStore, fetchObject, filesystemStore } from '../../../bundles/index.ts';
import { apiSource } from '../../../server/pipeline/api-source.ts';
import { refresh, sha256Hex } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { type FaultyServer, faultyServer, HONEST } from '../../support/faulty-server.ts';
import { freePorts } from '../../support/processes.ts';
import { fixedBytes } from '../../support/release-tree.ts';
import { startTestService, type TestService } from '../../support/service.ts';
import { temporary } from '../../support/temporary.ts';

let service: TestService;
before(async () => {
  service = await startTestService();
  await service.publish('1.0.0');
});
after(() => service.close());

/** An activated site, and the files of a medium that was exported for its license. */
async function siteWithMedium(t: TestContext) {
  const { id, file } = await service.issue();
  const site = newSite(file, { name: 'test', connected: true });
  const feed = feedClient(site);
  await feed.activate({ site: site.site, name: site.name, publicKey: site.publicKey });
  feed.close();
  const directory = await temporary(t);
  const { api } = service;
  type Segments = { segments: { name: string; size: number }[] };
  await exportMedia({
    directory,
    product: 'cloud',
    channel: 'stable',
    license: id,
    source: apiSource(api, id),
    firstRoot: (await api.bytes('/v1/metadata/1.root.json')) as Uint8Array,
    segmentsOf: async manifest => (await api.get<Segments>(`/v1/manifests/${manifest}/segments`)).segments,
    now: new Date(),
  });
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
  const files = await Promise.all(paths.map(async path => [relative(directory, path), await readFile(path)] as const));
  return { id, site, files: new Map<string, Uint8Array>(files) };
}

async function take(t: TestContext, site: Site, mirrors: readonly FaultyServer[]) {
  const directory = await temporary(t);
  const fragments = new FragmentStore(join(directory, 'fragments'));
  const source = feedClient(site, { fragments });
  const others = mirrors.map(({ url }) => mirrorSource(url, { fragments }));
  const dropped: DroppedSource[] = [];
  const onDropped = (source: DroppedSource) => dropped.push(source);
  try {
    const options = {
      directory,
      site,
      source,
      follow: refresh,
      mirrors: others,
      fragments,
      agentVersion: '1.0.0',
      now: new Date(),
      onDropped,
    };
    return { ...(await takeUpdate(options)), dropped, directory };
  } finally {
    for (const { close } of [source, ...others]) close();
  }
}

/** The same site, whose service is gone. */
async function withoutService(site: Site): Promise<Site> {
  const [port] = (await freePorts([0])) as [number];
  return { ...site, feed: { host: '127.0.0.1', port } };
}

test('the service is gone: a mirror with an exported medium is enough, and is told nothing about the site', async t => {
  const { site, files } = await siteWithMedium(t);
  const mirror = await faultyServer(t, files);
  const { release, dropped } = await take(t, await withoutService(site), [mirror]);
  assert.equal(release.document.version, '1.0.0');
  assert.equal(release.source, `mirror ${mirror.url}`);
  assert.ok(dropped.some(({ name, reason }) => name.startsWith('service') && /nobody listens there/.test(reason)));
  const told = JSON.stringify(mirror.asked.map(({ path, headers }) => [path, headers]));
  for (const secret of [site.site, site.licenseId, site.license, site.entitlementSecret, site.publicKey]) {
    assert.ok(!told.includes(secret));
  }
});

test('service and mirrors side by side: objects come from all, and a mirror that lies in any kind of file is named', async t => {
  const { site, files } = await siteWithMedium(t);
  const kinds = {
    timestamp: /^metadata\/timestamp\.json$/,
    snapshot: /^metadata\/\d+\.snapshot\.json$/,
    targets: /^metadata\/\d+\.targets\.json$/,
    channel: /^metadata\/\d+\.cloud\.stable\.json$/,
    documents: /^targets\//,
    objects: /^objects\//,
  };
  for (const [kind, path] of Object.entries(kinds)) {
    const liar = await faultyServer(t, files, asked => (path.test(asked.path) ? { kind: 'damaged' } : HONEST));
    const honest = await faultyServer(t, files);
    const { release, dropped } = await take(t, await withoutService(site), [liar, honest]);
    assert.equal(release.document.version, '1.0.0', kind);
    const named = dropped.map(({ name }) => name);
    assert.ok(named.includes(`mirror ${liar.url}`), `${kind}: ${JSON.stringify(dropped)}`);
    assert.ok(!named.includes(`mirror ${honest.url}`), kind);
  }
  const mirror = await faultyServer(t, files);
  const { release, dropped } = await take(t, site, [mirror]);
  assert.deepEqual(dropped, []);
  assert.deepEqual(Object.keys(release.bySource).sort(), [
    `mirror ${mirror.url}`,
    `service ${site.feed.host}:${site.feed.port}`,
  ]);
});

test('a wrap or a director document that is wrong at one mirror is taken from another', async t => {
  const { site, files } = await siteWithMedium(t);
  const other = await siteWithMedium(t);
  const wrapPath = [...files.keys()].find(path => path.startsWith('wraps/')) as string;
  const forged: readonly (readonly [string, Uint8Array])[] = [
    [wrapPath, Buffer.from('{}')],
    [wrapPath, other.files.get(wrapPath) as Uint8Array],
    ['director.jws', Buffer.from('x.y.z')],
    ['director.jws', other.files.get('director.jws') as Uint8Array],
  ];
  for (const [path, bytes] of forged) {
    const liar = await faultyServer(t, new Map(files).set(path, bytes));
    const honest = await faultyServer(t, files);
    const gone = await withoutService(site);
    assert.equal((await take(t, gone, [liar, honest])).release.document.version, '1.0.0');
    await assert.rejects(take(t, gone, [liar]), path);
  }
});

test('a license that the service refuses is not helped by a mirror that has everything', async t => {
  const { id, site, files } = await siteWithMedium(t);
  const mirror = await faultyServer(t, files);
  await service.api.post(`/v1/licenses/${id}/revoke`, {});
  await rejectsWith('feed-refused', () => take(t, site, [mirror]));
});

test('a running agent asks its mirrors, and says who was asked and who was given up', async t => {
  const { site, files } = await siteWithMedium(t);
  const [consolePort, bootPort] = (await freePorts([0, 0])) as [number, number];
  const mirror = await faultyServer(t, files);
  const options = {
    host: '127.0.0.1',
    consolePort,
    bootPort,
    clusterUrl: 'http://127.0.0.1:9',
    mirrors: [mirror.url],
    peers: [],
    checkEveryMs: 3600_000,
    rebootTimeoutMs: 1000,
    agentVersion: '1',
  };
  const directory = await temporary(t);
  await writeSite(directory, await withoutService(site));
  const agent = await startAgent({ ...options, directory });
  try {
    const checked = Promise.withResolvers<void>();
    agent.subscribe(() => agent.state().update.checkedAt && checked.resolve());
    await checked.promise;
    const { update } = agent.state();
    assert.equal(update.phase, 'idle', JSON.stringify(update));
    const [gone, used] = update.sources ?? [];
    assert.match(gone?.problem ?? '', /nobody listens there/);
    assert.deepEqual(used, { name: `mirror ${mirror.url}` });
    const text = statusText(agent.state());
    assert.match(text, /^source {5}service 127\.0\.0\.1:\d+, given up: .*nobody listens there/m);
    assert.match(text, new RegExp(`^source {5}mirror ${mirror.url}$`, 'm'));
  } finally {
    await agent.close();
  }

  const cutOff = await temporary(t);
  await writeSite(cutOff, { ...site, connected: false });
  await rejectsWith('config-invalid', () => startAgent({ ...options, directory: cutOff }));
});

test('nobody helps: the error names the service and each mirror, and says of each why', async t => {
  const { site, files } = await siteWithMedium(t);
  const lying = await faultyServer(t, files, () => ({ kind: 'damaged' }));
  const broken = await faultyServer(t, files, () => ({ kind: 'status', status: 500 }));
  const gone = await withoutService(site);
  const error = await rejectsWith('metadata-malformed', () => take(t, gone, [lying, broken]));
  for (const { url } of [lying, broken]) assert.ok(error.message.includes(`mirror ${url}: `));
  assert.match(error.message, /service 127\.0\.0\.1:\d+: .*nobody listens there/);
});

test('the service and a neighbor serve the rest of what broke', async t => {
  const store = filesystemStore(join(await temporary(t), 'objects'));
  const object = fixedBytes('object', 100_000);
  const digest = sha256Hex(object);
  await store.put(digest, object);
  const nothing = { releaseFor: async () => undefined, release: async () => undefined };
  const server = bootService(nothing, store, 'http://127.0.0.1').listen(0, '127.0.0.1');
  await new Promise(resolve => server.once('listening', resolve));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const peer = peerSource(`http://127.0.0.1:${port}`);
  const fragments = new FragmentStore();
  const half = {
    name: 'half',
    object: async (_: string, __: number, transfer: Parameters<typeof peer.object>[2]) => {
      transfer.begin(transfer.ask().from, undefined);
      transfer.take(object.subarray(0, 50_000));
      throw new Error('broken');
    },
  };
  await assert.rejects(fetchObject(half, digest, object.length, { fragments }), /broken/);
  const { bytes } = await fetchObject(peer, digest, object.length, { fragments });
  peer.close();
  assert.ok(bytes.equals(object));
  const part = await fetch(`http://127.0.0.1:${port}/v1/objects/${digest}`, { headers: { range: 'bytes=99990-' } });
  assert.equal(part.status, 206);
  assert.equal((await part.arrayBuffer()).byteLength, 10);

  const metadata = `${service.url}/v1/metadata/timestamp.json`;
  const whole = await fetch(metadata, { headers: { authorization: `Bearer ${service.token}` } });
  const text = await whole.text();
  const headers = {
    authorization: `Bearer ${service.token}`,
    range: 'bytes=100-',
    'if-range': whole.headers.get('etag') ?? '',
  };
  const rest = await fetch(metadata, { headers });
  assert.equal(rest.status, 206);
  assert.equal(await rest.text(), text.slice(100));
  const other = await fetch(metadata, { headers: { ...headers, 'if-range': '"other"' } });
  assert.equal(other.status, 200);
});
