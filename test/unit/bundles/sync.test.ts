// Several sources side by side, some of them bad: each bad one is dropped and named, and the others bring all of the release.
import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { peerSource } from '../../../agent/update/peer.ts';
import {
  bundleError,
  filesystemStore,
  type Manifest,
  type ObjectSource,
  syncSegments,
} from '../../../bundles/index.ts';
import { table } from '../../../bundles/manifest.ts';
import { sealSegment } from '../../../bundles/seal.ts';
import { sha256 } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { fixedBytes } from '../../support/release-tree.ts';
import { temporary } from '../../support/temporary.ts';

const SEALED = Array.from({ length: 24 }, (_, n) => sealSegment(sha256('product'), fixedBytes(`segment ${n}`, 20_000)));
const OBJECTS = new Map(SEALED.map(({ name, bytes }) => [name, bytes]));
const TOTAL = SEALED.reduce((sum, { bytes }) => sum + bytes.length, 0);
const MANIFEST: Manifest = {
  product: 'cloud',
  version: '1.0.0',
  components: [],
  segments: table(SEALED.length, n => {
    const { name, key, bytes } = SEALED[n] as (typeof SEALED)[0];
    return { name, key, sealedSize: bytes.length, plainSize: 20_000 };
  }),
  chunks: table(0, () => assert.fail()),
};
/** Fails in a moment what fails in minutes otherwise. */
const slowest = { graceMs: 200, bytesPerSecond: 100_000 };

function source(
  name: string,
  answer: (bytes: Buffer, digest: string) => Promise<Uint8Array> | Uint8Array,
): ObjectSource {
  return { name, object: async digest => answer(OBJECTS.get(digest) as Buffer, digest) };
}
const good = source('good', bytes => bytes);

async function sync(t: TestContext, sources: readonly ObjectSource[]) {
  const store = filesystemStore(join(await temporary(t), 'objects'));
  const heard: string[] = [];
  const onDropped = ({ name }: { name: string }) => heard.push(name);
  const result = await syncSegments(MANIFEST, sources, store, { slowest, onDropped });
  for (const { name, bytes } of SEALED) assert.ok((await store.get(name)).equals(bytes));
  assert.deepEqual(
    heard,
    result.dropped.map(({ name }) => name),
  );
  assert.equal(result.fetchedBytes, TOTAL, 'every segment is fetched once');
  return result;
}

test('a source that sends damaged bytes is dropped and named, and nothing of it is stored', async t => {
  const damaged = source('damaged', bytes => Buffer.from(bytes).fill(0, 50, 60));
  const { dropped, bySource } = await sync(t, [damaged, good]);
  assert.match(dropped.find(({ name }) => name === 'damaged')?.reason as string, /is damaged/);
  assert.deepEqual(bySource, { good: TOTAL });
});

test('a source that stalls is dropped and named, also when it does not listen', async t => {
  const stalled = source('stalled', () => new Promise(() => undefined));
  const { dropped } = await sync(t, [stalled, good]);
  assert.deepEqual(
    dropped.map(({ name }) => name),
    ['stalled'],
  );
  assert.match(dropped[0]?.reason as string, /stalled did not send [0-9a-f]{12} \(200\d\d bytes\) in 1 s/);
});

test('a peer that drips is dropped and named, and its connections are closed', async t => {
  const { url, closed } = await dripping(t);
  const { dropped } = await sync(t, [peerSource(url), good]);
  assert.deepEqual(
    dropped.map(({ name }) => name),
    [`peer ${url}`],
  );
  await closed;
});

test('a source that lacks objects is asked for others, and is not dropped', async t => {
  const lacking = source('lacking', (bytes, digest) => {
    if (/^[0-7]/.test(digest)) throw bundleError('object-missing', `${digest} is not here.`);
    return bytes;
  });
  const { dropped, bySource } = await sync(t, [lacking, good]);
  assert.deepEqual(dropped, []);
  assert.ok((bySource['lacking'] ?? 0) > 0);
});

test('all bad ones at once leave the work to the good one', async t => {
  const { url } = await dripping(t);
  const sources = [
    source('damaged', bytes => bytes.subarray(1)),
    source('stalled', () => new Promise(() => undefined)),
    peerSource(url),
    source('empty', () => {
      throw bundleError('object-missing', 'Nothing is here.');
    }),
    good,
  ];
  const { dropped, bySource } = await sync(t, sources);
  assert.deepEqual(dropped.map(({ name }) => name).sort(), ['damaged', `peer ${url}`, 'stalled']);
  assert.deepEqual(bySource, { good: TOTAL });
});

test('when the only source stalls, that is what is said', async t => {
  const error = await rejectsWith('source-slow', () =>
    sync(t, [source('stalled', () => new Promise(() => undefined))]),
  );
  assert.match(error.message, /stalled/);
});

/** A peer that sends a byte now and then. `closed` resolves when nobody listens to it any more. */
async function dripping(t: TestContext): Promise<{ readonly url: string; readonly closed: Promise<void> }> {
  let open = 0;
  const { promise: closed, resolve: allClosed } = Promise.withResolvers<void>();
  const server = http.createServer((request, response) => {
    const bytes = OBJECTS.get(request.url?.split('/').at(-1) as string) as Buffer;
    let at = 0;
    open++;
    response.setHeader('content-length', bytes.length);
    const timer = setInterval(() => response.write(bytes.subarray(at, ++at)), 20);
    response.once('close', () => {
      clearInterval(timer);
      if (--open === 0) allClosed();
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, closed };
}
