// Objects from the bucket of the service, at addresses that the service signs: whatever becomes of the bucket or the address, the
// service sends the rest, and no address is told to anybody.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { openBucket } from '../../../agent/update/bucket.ts';
import { webSender } from '../../../agent/update/sender.ts';
import { objectsOf } from '../../../agent/update/signed-files.ts';
import {
  type DroppedSource,
  FragmentStore,
  filesystemStore,
  MOST_OBJECT_URLS,
  syncObjects,
} from '../../../bundles/index.ts';
import { sha256Hex } from '../../../signing/index.ts';
import { type FaultyServer, faultyServer, HONEST } from '../../support/faulty-server.ts';
import { fixedBytes } from '../../support/release-tree.ts';
import { temporary } from '../../support/temporary.ts';

const OBJECTS = Array.from({ length: 8 }, (_, i) => fixedBytes(`object ${i}`, 150_000));
const WANTED = OBJECTS.map(bytes => ({ name: sha256Hex(bytes), size: bytes.length }));
const DIGESTS = WANTED.map(({ name }) => name);
const SECONDS = 900;

/** A bucket whose addresses carry a new signature with each answer, and a service that has the same objects. */
async function world(t: TestContext) {
  const bucket = await faultyServer(t);
  const service = await faultyServer(t, new Map(OBJECTS.map(bytes => [`objects/${sha256Hex(bytes)}`, bytes])));
  const questions: (readonly string[])[] = [];
  const signatures = () => questions.length;
  const askWhere = async (digests: readonly string[]) => {
    questions.push(digests);
    const signed = digests.map(digest => {
      const path = `objects/${digest}?X-Amz-Signature=signature-${signatures()}`;
      const bytes = OBJECTS[DIGESTS.indexOf(digest)];
      if (bytes) bucket.files.set(path, bytes);
      return [digest, `${bucket.url}/${path}`] as const;
    });
    return { urls: Object.fromEntries(signed), seconds: SECONDS };
  };
  return { bucket, service, questions, askWhere };
}

async function fetchAll(
  t: TestContext,
  { service, askWhere }: { readonly service: FaultyServer; readonly askWhere: Parameters<typeof openBucket>[0] },
  nowMs?: () => number,
) {
  const sender = webSender('service', service.url);
  const streaming = objectsOf(sender, digest => `/objects/${digest}`);
  const bucket = await openBucket(askWhere, DIGESTS, '127.0.0.1', nowMs);
  assert.ok(bucket);
  const store = filesystemStore(await temporary(t));
  const dropped: DroppedSource[] = [];
  try {
    const result = await syncObjects(WANTED, [bucket, streaming], store, {
      fragments: new FragmentStore(),
      rankOf: source => (source === streaming ? 1 : 0),
      onDropped: source => dropped.push(source),
    });
    for (const digest of DIGESTS) await store.get(digest);
    const told = JSON.stringify(dropped);
    assert.doesNotMatch(told, /X-Amz|signature-/, 'an address is told to nobody');
    return { ...result, dropped };
  } finally {
    bucket.close();
    sender.close();
  }
}

test('all objects come from the bucket while it works, and the service is asked for none', async t => {
  const all = await world(t);
  const { bySource } = await fetchAll(t, all);
  assert.deepEqual(Object.keys(bySource), ['bucket of the service']);
  assert.equal(all.service.asked.length, 0);
  assert.equal(all.questions.length, 1, 'many addresses come with one answer');
  const told = JSON.stringify(all.bucket.asked.map(({ headers }) => headers));
  assert.doesNotMatch(told, /authorization|cookie|rollover/i);
});

test('the bucket does not answer: the service sends everything', async t => {
  const all = await world(t);
  all.bucket.fault = () => ({ kind: 'reset' });
  const { bySource, dropped } = await fetchAll(t, all);
  assert.deepEqual(Object.keys(bySource), ['service']);
  assert.deepEqual(
    dropped.map(({ name }) => name),
    ['bucket of the service'],
  );
});

test('the bucket breaks off in the middle and is gone: the service sends the rest, and not what is there', async t => {
  const all = await world(t);
  all.bucket.fault = () => (all.bucket.asked.length > 4 ? { kind: 'reset' } : { kind: 'cut', after: 100_000 });
  const { dropped } = await fetchAll(t, all);
  assert.equal(dropped.length, 1);
  const continued = all.service.asked.filter(({ from }) => from === 100_000);
  assert.equal(continued.length, 4, 'each of the four lines had most of an object');
  assert.equal(all.service.sentBytes, OBJECTS.length * 150_000 - 4 * 100_000);
});

test('the bucket sends other bytes: it is dropped, and what it sent counts for nothing', async t => {
  for (const kind of ['damaged', 'longer', 'shorter'] as const) {
    const all = await world(t);
    all.bucket.fault = () => ({ kind });
    const { bySource } = await fetchAll(t, all);
    assert.deepEqual(Object.keys(bySource), ['service'], kind);
  }
});

test('an address that is over is asked for again', async t => {
  const all = await world(t);
  all.bucket.fault = ({ path }) => (path.endsWith('signature-1') ? { kind: 'status', status: 403 } : HONEST);
  const { bySource } = await fetchAll(t, all);
  assert.ok((bySource['bucket of the service'] ?? 0) > 0);
  assert.ok(all.questions.length > 1);
  assert.ok(all.questions.every(digests => digests.length <= MOST_OBJECT_URLS));
});

test('an address is not used when it is about to be over', async t => {
  const all = await world(t);
  let nowMs = 0;
  all.bucket.fault = ({ path }) => {
    nowMs = SECONDS * 1000;
    return path.endsWith('signature-1') || path.endsWith('signature-2') ? HONEST : { kind: 'status', status: 500 };
  };
  await fetchAll(t, all, () => nowMs);
  const used = new Set(all.bucket.asked.map(({ path }) => path.split('=')[1]));
  assert.ok(used.has('signature-2'), 'the first ones were over by the clock');
});

test('a bucket that refuses every address is given up, and says only that it refuses', async t => {
  const all = await world(t);
  all.bucket.fault = () => ({ kind: 'status', status: 403 });
  const { bySource, dropped } = await fetchAll(t, all);
  assert.deepEqual(Object.keys(bySource), ['service']);
  assert.equal(dropped[0]?.reason, 'The bucket of the service answered 403.');
});

test('a bucket that sends us elsewhere is not followed', async t => {
  const all = await world(t);
  const inside = await faultyServer(t);
  all.bucket.fault = () => ({ kind: 'redirect', to: `${inside.url}/admin` });
  const { bySource, dropped } = await fetchAll(t, all);
  assert.deepEqual(Object.keys(bySource), ['service']);
  assert.match(dropped[0]?.reason ?? '', /elsewhere/);
  assert.equal(inside.asked.length, 0);
});

test('an address that leads into the site is not asked: another host without TLS, another path, a password', async t => {
  const inside = await faultyServer(t);
  const port = new URL(inside.url).port;
  const addresses = [
    (digest: string) => `http://localhost:${port}/objects/${digest}`,
    (digest: string) => `http://127.0.0.1:${port}/admin?${digest}`,
    (digest: string) => `http://user:word@127.0.0.1:${port}/objects/${digest}`,
    (digest: string) => `https://127.0.0.1:${port}/admin/delete?x=/${digest}`,
  ];
  for (const address of addresses) {
    const all = await world(t);
    const askWhere = async (digests: readonly string[]) => ({
      urls: Object.fromEntries(digests.map(digest => [digest, address(digest)])),
      seconds: SECONDS,
    });
    const { bySource, dropped } = await fetchAll(t, { ...all, askWhere });
    assert.deepEqual(Object.keys(bySource), ['service']);
    assert.match(dropped[0]?.reason ?? '', /no place for one/, address('x'));
  }
  assert.equal(inside.asked.length, 0);
});

test('a service that sends its objects itself has no bucket', async () => {
  assert.equal(await openBucket(async () => undefined, DIGESTS, '127.0.0.1'), undefined);
});
