// Garbage collection takes what nothing needs and never what something needs, also when publications race it while every
// object looks old.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { utimes } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../../../server/pipeline/api-client.ts';
import { publishedReleases } from '../../../server/pipeline/published.ts';
import { sha256Hex } from '../../../signing/index.ts';
import { objectPaths } from '../../support/object-paths.ts';
import { startTestService, type TestService } from '../../support/service.ts';

let service: TestService;
before(async () => {
  service = await startTestService();
});
after(() => service.close());

const LONG_AGO = new Date(Date.now() - 7 * 24 * 3600_000);

/** Makes every object look a week old. */
async function age(): Promise<string[]> {
  const paths = await objectPaths(join(service.directory, 'data', 'blobs'));
  await Promise.all(paths.map(path => utimes(path, LONG_AGO, LONG_AGO).catch(() => undefined)));
  return paths.map(path => basename(path));
}

type Garbage = { objects: number; bytes: number; keptObjects: number };
const collect = (dryRun = false) => service.api.post<Garbage>('/v1/garbage', { graceSeconds: 60, dryRun });

async function put(text: string): Promise<string> {
  const bytes = Buffer.from(text);
  await service.api.put(`/v1/objects/${sha256Hex(bytes)}`, bytes);
  return sha256Hex(bytes);
}

/** Every object that the published releases need can be fetched. */
async function assertWhole(): Promise<number> {
  let segments = 0;
  for (const release of await publishedReleases(service.api, 'cloud', 1000)) {
    const { manifest } = await release.open();
    for (const { name, sealedSize } of manifest.segments) {
      segments++;
      assert.equal((await service.api.bytes(`/v1/objects/${name}`))?.length, sealedSize, `${release.version}: ${name}`);
    }
  }
  return segments;
}

test('what is young stays; what is old and unneeded goes, once the lease of its upload is over; a dry run only tells', async () => {
  await service.publish('1.0.0');
  const stray = await put('stray');
  assert.equal((await collect()).objects, 0, 'it is young');
  await age();
  assert.equal((await collect()).objects, 0, 'its upload holds a lease');
  await service.query('delete from leases');
  assert.deepEqual((await collect(true)).objects, 1);
  assert.ok(await service.api.exists(`/v1/objects/${stray}`));
  assert.deepEqual((await collect()).objects, 1);
  assert.ok(!(await service.api.exists(`/v1/objects/${stray}`)));
  assert.ok((await assertWhole()) > 0);
  await service.publish('1.1.0');
});

test('a lease keeps an object that nobody else needs', async () => {
  const leased = await put('leased');
  await service.query('delete from leases');
  await age();
  const ask = { holder: randomUUID(), digests: [leased, '0'.repeat(64)] };
  assert.deepEqual(await service.api.post('/v1/objects/missing', ask), { missing: ['0'.repeat(64)] });
  assert.equal((await collect()).objects, 0);
});

test('a publication that failed leaves garbage behind; one that is under way does not', async () => {
  await service.query("update releases set state = 'publishing' where version = '1.0.0'");
  await service.query('delete from leases');
  await age();
  assert.equal((await collect(true)).objects, 1, 'only the object of the lease that is gone');
  await service.query("update releases set state = 'failed' where version = '1.0.0'");
  assert.ok((await collect(true)).objects > 1);
  await service.query("update releases set state = 'published' where version = '1.0.0'");
});

test('publications that race the collector lose nothing, although every object looks old all the time', async () => {
  let done = false;
  const ageing = (async () => {
    while (!done) {
      await age();
      await sleep(5);
    }
  })();
  let rounds = 0;
  let collected = 0;
  const collecting = (async () => {
    while (!done) {
      collected += (await collect()).objects;
      rounds++;
    }
  })();
  const littering = (async () => {
    for (let i = 0; !done; i++) {
      const digest = await put(`litter ${i}`);
      await service.query(`delete from leases where digest = '${digest}'`);
      await sleep(10);
    }
  })();
  // Each shares most of its segments with the ones before and brings some of its own, and takes its time before it is
  // submitted: until then, only leases protect it.
  const slow: ApiClient = {
    ...service.api,
    async post<T>(path: string, body: unknown) {
      if (path === '/v1/releases') await sleep(400);
      return service.api.post<T>(path, body);
    },
  };
  try {
    for (let i = 0; i < 6; i++) await service.publish(`2.${i}.0`, { initrdBytes: 2_000_000 + 200_000 * (i % 3) }, slow);
  } finally {
    done = true;
    await Promise.all([ageing, collecting, littering]);
  }
  assert.ok(rounds >= 5 && collected > 0, `${rounds} rounds took ${collected} objects`);
  assert.ok((await assertWhole()) > 10);
});
