// From a signed release document to a manifest: what was mixed up on the way is refused by name, and nothing is opened.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type BundleSource, filesystemStore, openRelease, type ReleaseDocument } from '../../../bundles/index.ts';
import { encodeManifest, table } from '../../../bundles/manifest.ts';
import { sealManifest } from '../../../bundles/seal.ts';
import { entitlementPublicKey, RolloverError, sha256, type Wrap, wrapContentKey } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { temporary } from '../../support/temporary.ts';

const SECRET = sha256('secret of one');
const ONE = { id: 'one', secret: SECRET };

/** A release without content, and its document. */
function release(product: string, version: string) {
  const none = table<never>(0, () => assert.fail());
  const sealed = sealManifest(
    sha256('product'),
    encodeManifest({ product, version, components: [], segments: [], chunks: none }),
  );
  const document: ReleaseDocument = {
    format: 1,
    product,
    version,
    counter: 1,
    createdAt: '2026-01-01T00:00:00Z',
    notes: '',
    manifest: { sha256: sealed.name, length: sealed.bytes.length },
    components: [],
    size: { files: 0, plainBytes: 0, sealedBytes: 0, segments: 0 },
  };
  return { sealed, document };
}

const THIS = release('cloud', '5.2.0');
const OTHER = release('cloud', '5.1.0');

async function wrapOf({ sealed }: typeof THIS, license: string, secret = SECRET): Promise<Wrap> {
  return wrapContentKey(sealed.key, await entitlementPublicKey(secret), { license, release: sealed.name });
}

async function open(t: TestContext, object: Buffer, wrap: Wrap, document = THIS.document) {
  const source: BundleSource = {
    name: 'source',
    object: async () => object,
    wrap: async () => wrap,
    director: async () => '',
    license: async () => '',
  };
  const from = { wraps: [source], objects: [source] };
  return openRelease(document, ONE, from, filesystemStore(join(await temporary(t), 'objects')));
}

test('the right manifest opens with the right wrap', async t => {
  const manifest = await open(t, THIS.sealed.bytes, await wrapOf(THIS, 'one'));
  assert.equal(manifest.version, '5.2.0');
});

test('the manifest of another release is not the one that was signed', async t => {
  const wrap = await wrapOf(THIS, 'one');
  await rejectsWith('object-corrupt', () => open(t, OTHER.sealed.bytes, wrap));
  // Signed as this release by mistake: it says itself what it is.
  const mistaken = { ...THIS.document, manifest: OTHER.document.manifest };
  const wrapOfOther = await wrapOf(OTHER, 'one');
  const error = await rejectsWith('manifest-corrupt', () => open(t, OTHER.sealed.bytes, wrapOfOther, mistaken));
  assert.match(error.message, /5\.2\.0 says cloud 5\.1\.0/);
});

test('a wrap for another license or another release does not open, nor does one that says it is for this', async t => {
  const forTwo = await wrapOf(THIS, 'two', sha256('secret of two'));
  const ofOther = await wrapOf(OTHER, 'one');
  const relabeled = [
    { ...forTwo, license: 'one' },
    { ...ofOther, release: THIS.sealed.name },
  ];
  for (const wrap of [forTwo, ofOther, ...relabeled]) {
    await rejectsWith('wrap-unopenable', () => open(t, THIS.sealed.bytes, wrap));
  }
});

test('a service that refuses the license has the last word; one that does not answer, or has a wrong key, has not', async t => {
  const store = filesystemStore(join(await temporary(t), 'objects'));
  const wrap = await wrapOf(THIS, 'one');
  const source = (name: string, wrap: () => Promise<Wrap>): BundleSource => ({
    name,
    object: async () => THIS.sealed.bytes,
    wrap,
    license: async () => '',
    director: async () => '',
  });
  const failing = (code: string, kind: 'license' | 'network') =>
    source('service', () => Promise.reject(new RolloverError(code, { kind, hint: 'Ask.' }, 'No.')));
  const mirror = source('mirror', async () => wrap);
  const attempt = (wraps: readonly BundleSource[]) =>
    openRelease(THIS.document, ONE, { wraps, objects: [mirror] }, store);
  for (const code of ['feed-refused', 'license-refused']) {
    await rejectsWith(code, () => attempt([failing(code, 'license'), mirror]));
  }
  const forged = await wrapContentKey(sha256('another key'), await entitlementPublicKey(SECRET), {
    license: 'one',
    release: THIS.sealed.name,
  });
  const others = [
    failing('feed-unreachable', 'network'),
    source('foreign', () => wrapOf(OTHER, 'one')),
    source('forging', async () => forged),
  ];
  assert.equal((await attempt([...others, mirror])).version, '5.2.0');
  const error = await rejectsWith('manifest-corrupt', () => attempt(others));
  for (const { name } of others) assert.match(error.message, new RegExp(`${name}: `));
});
