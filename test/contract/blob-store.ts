// What every blob store has to do. Run by `test/contract/*.test.ts` over each implementation.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import type { BlobStore } from '../../bundles/index.ts';
import { sha256Hex } from '../../signing/index.ts';
import { flipped } from '../support/damage.ts';
import { rejectsWith } from '../support/errors.ts';

export interface StoreUnderTest {
  readonly store: BlobStore;
  /** Overwrites a stored object behind the store's back. */
  damage(digest: string, bytes: Uint8Array): Promise<void>;
}

const ABSENT = '0'.repeat(64);

export function blobStoreContract(
  name: string,
  open: () => Promise<StoreUnderTest>,
  skip: string | false = false,
): void {
  const check = (title: string, work: (under: StoreUnderTest) => Promise<void>) =>
    test(`${name}: ${title}`, { skip }, async () => work(await open()));
  const object = (length: number) => {
    const bytes = randomBytes(length);
    return { bytes, digest: sha256Hex(bytes) };
  };

  check('what was put comes back, byte for byte, small and large', async ({ store }) => {
    for (const length of [1, 1000, 1_300_000, 20_000_000]) {
      const { bytes, digest } = object(length);
      assert.equal(await store.size(digest), undefined);
      await store.put(digest, bytes);
      await store.flush();
      assert.equal(await store.size(digest), length);
      assert.ok((await store.get(digest)).equals(bytes));
      assert.ok((await store.read(digest)).equals(bytes));
      assert.ok((await buffer(await store.stream(digest))).equals(bytes));
    }
  });

  check('a part of an object can be read', async ({ store }) => {
    const { bytes, digest } = object(100_000);
    await store.put(digest, bytes);
    for (const [start, end] of [
      [0, 1],
      [500, 70_000],
      [99_999, 100_000],
    ] as const) {
      assert.ok((await buffer(await store.stream(digest, { start, end }))).equals(bytes.subarray(start, end)));
    }
  });

  check('what is not there is missing, everywhere', async ({ store }) => {
    assert.equal(await store.size(ABSENT), undefined);
    await rejectsWith('object-missing', () => store.get(ABSENT));
    await rejectsWith('object-missing', () => store.read(ABSENT));
    await rejectsWith('object-missing', async () => buffer(await store.stream(ABSENT)));
    await store.remove(ABSENT);
  });

  check('a name that is no digest names nothing, and leads nowhere', async ({ store }) => {
    for (const odd of ['', '..', '../../etc/passwd', 'A'.repeat(64), `${ABSENT}/x`]) {
      await rejectsWith('object-missing', () => store.read(odd));
    }
  });

  check('bytes under a wrong name are refused', async ({ store }) => {
    await rejectsWith('object-corrupt', () => store.put(ABSENT, Buffer.from('something')));
    assert.equal(await store.size(ABSENT), undefined);
  });

  check('putting twice is putting once, also at the same time', async ({ store }) => {
    const { bytes, digest } = object(50_000);
    await Promise.all(Array.from({ length: 8 }, () => store.put(digest, bytes)));
    await store.put(digest, bytes);
    assert.ok((await store.get(digest)).equals(bytes));
  });

  check('a damaged object is noticed, and replaced by putting it again', async ({ store, damage }) => {
    const { bytes, digest } = object(3000);
    await store.put(digest, bytes);
    await damage(digest, flipped(bytes));
    await rejectsWith('object-corrupt', () => store.get(digest));
    await store.put(digest, bytes);
    assert.ok((await store.get(digest)).equals(bytes));
  });

  check('removed is gone; the list has the rest, with sizes and times', async ({ store }) => {
    const objects = [object(10), object(20), object(30)];
    for (const { digest, bytes } of objects) await store.put(digest, bytes);
    await store.remove((objects[1] as (typeof objects)[0]).digest);
    const listed = new Map<string, { size: number; storedMs: number }>();
    for await (const { digest, ...rest } of store.list()) listed.set(digest, rest);
    assert.equal(listed.get((objects[0] as (typeof objects)[0]).digest)?.size, 10);
    assert.equal(listed.get((objects[2] as (typeof objects)[0]).digest)?.size, 30);
    assert.ok(!listed.has((objects[1] as (typeof objects)[0]).digest));
    for (const { storedMs } of listed.values()) assert.ok(Math.abs(Date.now() - storedMs) < 3600_000);
  });
}
