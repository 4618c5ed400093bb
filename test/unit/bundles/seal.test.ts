// Sealed objects: deterministic, bound to their names and keys, and never more than was promised.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openSealedManifest, openSegment, sealManifest, sealSegment } from '../../../bundles/seal.ts';
import { sha256Hex } from '../../../signing/index.ts';
import { flipped } from '../../support/damage.ts';
import { rejectsWith } from '../../support/errors.ts';
import { fixedBytes } from '../../support/release-tree.ts';

const PRODUCT_KEY = Buffer.alloc(32, 7);
const PLAIN = Buffer.from('the same text '.repeat(1000));

test('equal plaintext of one product gives equal bytes, of another product not', () => {
  assert.deepEqual(sealSegment(PRODUCT_KEY, PLAIN), sealSegment(PRODUCT_KEY, PLAIN));
  assert.notEqual(sealSegment(PRODUCT_KEY, PLAIN).name, sealSegment(Buffer.alloc(32, 8), PLAIN).name);
  assert.notEqual(sealSegment(PRODUCT_KEY, PLAIN).name, sealManifest(PRODUCT_KEY, PLAIN).name);
});

test('a segment opens with its key, and its name is the digest of its bytes', () => {
  const { name, key, bytes } = sealSegment(PRODUCT_KEY, PLAIN);
  assert.equal(name, sha256Hex(bytes));
  assert.deepEqual(openSegment(name, key, bytes, PLAIN.length), PLAIN);
});

test('what is sealed is one frame, also where it fills a buffer exactly', () => {
  for (let length = 900; length < 1100; length++) {
    const plain = fixedBytes('frame', length);
    const { name, key, bytes } = sealSegment(PRODUCT_KEY, plain);
    assert.deepEqual(openSegment(name, key, bytes, length), plain);
  }
});

test('every single flipped byte is noticed', async () => {
  const { name, key, bytes } = sealSegment(PRODUCT_KEY, Buffer.from('short'));
  for (let i = 0; i < bytes.length; i++) {
    const bad = flipped(bytes, i);
    await rejectsWith('segment-corrupt', async () => openSegment(name, key, bad, 5));
    // Also when a manifest names the changed bytes: the tag does not fit.
    await rejectsWith('segment-corrupt', async () => openSegment(sha256Hex(bad), key, bad, 5));
  }
});

test('a wrong key, a cut, and a larger promise than the manifest makes are refused', async () => {
  const { name, key, bytes } = sealSegment(PRODUCT_KEY, PLAIN);
  await rejectsWith('segment-corrupt', async () => openSegment(name, Buffer.alloc(32), bytes, PLAIN.length));
  const short = bytes.subarray(0, 20);
  await rejectsWith('segment-corrupt', async () => openSegment(sha256Hex(short), key, short, PLAIN.length));
  await rejectsWith('segment-corrupt', async () => openSegment(name, key, bytes, PLAIN.length - 1));
});

test('a manifest is no segment and a segment no manifest', async () => {
  const manifest = sealManifest(PRODUCT_KEY, PLAIN);
  assert.deepEqual(openSealedManifest(manifest.name, manifest.key, manifest.bytes), PLAIN);
  await rejectsWith('segment-corrupt', async () =>
    openSegment(manifest.name, manifest.key, manifest.bytes, PLAIN.length),
  );
  const segment = sealSegment(PRODUCT_KEY, PLAIN);
  await rejectsWith('manifest-corrupt', async () => openSealedManifest(segment.name, segment.key, segment.bytes));
});
