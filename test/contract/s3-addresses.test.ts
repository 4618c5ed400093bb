// Signed addresses against a real S3 service (Ceph's gateway): what each opens and for how long, and a site that takes a release from
// the bucket, or from the service where the bucket does not help.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { pino } from 'pino';
import { feedClient } from '../../agent/update/feed-client.ts';
import { newSite, type Site } from '../../agent/update/site.ts';
import { takeUpdate } from '../../agent/update/take.ts';
import { type BlobStore, type DroppedSource, FragmentStore, type S3Options, s3Stores } from '../../bundles/index.ts';
import { refresh, sha256Hex } from '../../signing/index.ts';
import { type Rgw, startRgw, withoutRgw } from '../lab/ceph-rgw.ts';
import { freePorts } from '../support/processes.ts';
import { startTestService, type TestService } from '../support/service.ts';
import { temporary } from '../support/temporary.ts';

const FROM_BUCKET = 'bucket of the service';
const skip = withoutRgw;

let rgw: Rgw;
let client: S3Client;
before(async () => {
  if (skip) return;
  rgw = await startRgw();
  const { endpoint, credentials } = rgw;
  client = new S3Client({ region: 'us-east-1', endpoint, forcePathStyle: true, credentials });
});
after(() => rgw?.stop());

async function newBucket(bucket: string, change: Partial<S3Options> = {}): Promise<S3Options> {
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  const { endpoint, credentials } = rgw;
  return { bucket, prefix: 'objects/', endpoint, credentials, presign: {}, ...change };
}

test('an address opens one object for reading, to anybody, for its time, and nothing else', { skip }, async () => {
  const options = await newBucket('addresses');
  const store = (await s3Stores(options))('organizations/org 1/');
  const [bytes, other] = [Buffer.from('sealed'), Buffer.from('another')];
  for (const object of [bytes, other]) await store.put(sha256Hex(object), object);
  const addressOf = store.address as NonNullable<BlobStore['address']>;
  const address = await addressOf(sha256Hex(bytes), 60);
  assert.ok(!address.includes(rgw.credentials.secretAccessKey));
  assert.ok(new URL(address).pathname.endsWith(`/${sha256Hex(bytes)}`));

  assert.equal(await (await fetch(address)).text(), 'sealed');
  const part = await fetch(address, { headers: { range: 'bytes=2-' } });
  assert.deepEqual([part.status, await part.text()], [206, 'aled']);
  const status = async (url: string, init: RequestInit = {}) => (await fetch(url, init)).status;
  assert.equal(await status(address.replace(sha256Hex(bytes), sha256Hex(other))), 403);
  assert.equal(await status(address, { method: 'PUT', body: 'x' }), 403);
  assert.equal(await status(address, { method: 'DELETE' }), 403);
  assert.equal(await status(address.replace(/\?.*/, '')), 403);
  assert.equal(await status(await addressOf('0'.repeat(64), 60)), 404);
  const credentials = { ...rgw.credentials, secretAccessKey: 'wrong' };
  const foreign = (await s3Stores({ ...options, credentials }))('organizations/org 1/');
  assert.equal(await status((await foreign.address?.(sha256Hex(bytes), 60)) ?? ''), 403);

  const short = await addressOf(sha256Hex(bytes), 1);
  assert.equal(await status(short), 200);
  for (let turn = 0; turn < 100 && (await status(short)) === 200; turn++) await sleep(100);
  assert.equal(await status(short), 403, 'its time is over');
});

/** A service on this bucket with a release, a site of it, and everything that the service has logged. */
async function world(t: TestContext, s3: S3Options) {
  const log: string[] = [];
  const service = await startTestService({ s3, log: pino({ level: 'trace' }, { write: line => void log.push(line) }) });
  t.after(() => service.close());
  await service.publish('1.0.0');
  const { file } = await service.issue();
  const site = newSite(file, { name: 'test', connected: true });
  return { service, site, log };
}

async function take(t: TestContext, service: TestService, site: Site) {
  const directory = await temporary(t);
  const fragments = new FragmentStore(join(directory, 'fragments'));
  const source = feedClient(site, { fragments });
  const dropped: DroppedSource[] = [];
  const onDropped = (given: DroppedSource) => dropped.push(given);
  const options = { directory, site, source, follow: refresh, fragments, agentVersion: '1.0.0', now: new Date() };
  try {
    await source.activate({ site: site.site, name: site.name, publicKey: site.publicKey }).catch(() => undefined);
    const { release } = await takeUpdate({ ...options, onDropped });
    const fromService = release.bySource[`service ${site.feed.host}:${site.feed.port}`] ?? 0;
    return { release, dropped, fromBucket: release.bySource[FROM_BUCKET] ?? 0, fromService, service };
  } finally {
    source.close();
  }
}

test('a site takes the segments of a release from the bucket; no address and no secret is logged', {
  skip,
}, async t => {
  const s3 = await newBucket('release');
  const { service, site, log } = await world(t, s3);
  const { fromBucket, fromService, dropped } = await take(t, service, site);
  assert.ok(fromBucket > 0);
  assert.equal(fromService, 0);
  assert.deepEqual(dropped, []);
  assert.ok(log.length > 0);
  for (const secret of ['X-Amz-Signature', rgw.credentials.secretAccessKey, rgw.credentials.accessKeyId]) {
    assert.ok(!log.some(line => line.includes(secret)), secret);
  }
});

test('nobody reaches the bucket but the service: the site takes everything from the service', { skip }, async t => {
  const [port] = (await freePorts([0])) as [number];
  const s3 = await newBucket('unreachable', { presign: { endpoint: `http://127.0.0.1:${port}` } });
  const { service, site } = await world(t, s3);
  const { fromBucket, fromService, dropped } = await take(t, service, site);
  assert.equal(fromBucket, 0);
  assert.ok(fromService > 0);
  assert.deepEqual(
    dropped.map(({ name }) => name),
    [FROM_BUCKET],
  );
});

test('other bytes in the bucket: neither the bucket nor the service gets them past the site', { skip }, async t => {
  const s3 = await newBucket('damaged');
  const { service, site } = await world(t, s3);
  const store = (await s3Stores(s3))('');
  const sizes = new Map<string, number>();
  for await (const { digest, size } of store.list()) sizes.set(digest, size);
  const [largest] = [...sizes].toSorted((a, b) => b[1] - a[1])[0] as [string, number];
  const good = await store.get(largest);
  const Key = `objects/${largest.slice(0, 2)}/${largest}`;
  const put = (Body: Buffer) => client.send(new PutObjectCommand({ Bucket: s3.bucket, Key, Body }));
  await put(Buffer.from(good).fill(0x5a, good.length >> 1));
  await assert.rejects(take(t, service, site), { code: 'object-corrupt' });
  await put(good);
  assert.equal((await take(t, service, site)).release.document.version, '1.0.0');
});
