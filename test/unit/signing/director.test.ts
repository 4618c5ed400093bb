// Two opinions (Uptane): what the service's online key says for a site, held against what the offline keys have signed.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { agrees } from '../../../agent/update/director.ts';
import type { ReleaseDocument } from '../../../bundles/index.ts';
import {
  type Director,
  keyIdOf,
  publicKeyOf,
  requireDirection,
  signDirector,
  verifyDirector,
} from '../../../signing/index.ts';
import { signJws } from '../../../signing/jws.ts';
import { rejectsWith } from '../../support/errors.ts';
import { NOW } from '../../support/repository.ts';

const DAY_MS = 24 * 3600_000;

function directorKey() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const keyId = keyIdOf(publicKeyOf(privateKey));
  const keys = Buffer.from(JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: keyId }] }));
  return { privateKey, keyId, keys };
}

const KEY = directorKey();
const SITE = { license: 'lic-1', site: 'site-1', product: 'cloud' };
const INSTALL = {
  channel: 'stable',
  version: '5.2.0',
  counter: 7,
  manifest: { sha256: 'a'.repeat(64), length: 100 },
  hardware: 'x86_64',
};
const DIRECTOR: Director = {
  version: 1,
  ...SITE,
  issuedAt: new Date(NOW).toISOString(),
  expiresAt: new Date(NOW + DAY_MS).toISOString(),
  sequence: 5,
  installs: [INSTALL],
};

const FILE = { path: 'vmlinuz', sha256: 'b'.repeat(64), length: 1 };
const RELEASE: ReleaseDocument = {
  format: 1,
  product: 'cloud',
  version: '5.2.0',
  counter: 7,
  createdAt: new Date(NOW).toISOString(),
  notes: '',
  manifest: { sha256: 'a'.repeat(64), length: 100 },
  components: [],
  image: { component: 'os', hardware: 'x86_64', kernel: FILE, initrd: FILE, digest: 'c'.repeat(64) },
  size: { files: 1, plainBytes: 1, sealedBytes: 1, segments: 1 },
};

test('an honest document is followed, also one on a medium for all sites of the license', async () => {
  const read = await verifyDirector(await signDirector(DIRECTOR, KEY.privateKey, KEY.keyId), KEY.keys);
  assert.deepEqual(read, { director: DIRECTOR, keyId: KEY.keyId });
  requireDirection(read, SITE, { keyId: KEY.keyId, sequence: 5 }, NOW);
  const { site: _site, ...media } = DIRECTOR;
  requireDirection({ director: media, keyId: KEY.keyId }, SITE, undefined, NOW);
});

test('a stolen online key introduces no software: what it names has to be what the offline keys have signed', () => {
  assert.ok(agrees(INSTALL, RELEASE, 'stable', 'x86_64'));
  const forged = [
    { ...INSTALL, manifest: { ...INSTALL.manifest, sha256: 'd'.repeat(64) } },
    { ...INSTALL, manifest: { ...INSTALL.manifest, length: 101 } },
    { ...INSTALL, counter: 8 },
    { ...INSTALL, version: '5.2.1' },
    { ...INSTALL, channel: 'edge' },
  ];
  for (const install of forged) assert.ok(!agrees(install, RELEASE, 'stable', 'x86_64'), JSON.stringify(install));
});

test('wrong hardware: an image goes to the kind of machine that both opinions name, and that the site has', () => {
  assert.ok(!agrees(INSTALL, RELEASE, 'stable', 'aarch64'));
  assert.ok(!agrees({ ...INSTALL, hardware: 'aarch64' }, RELEASE, 'stable', 'aarch64'));
  const { hardware: _hardware, ...without } = INSTALL;
  assert.ok(!agrees(without, RELEASE, 'stable', 'x86_64'));
  const { image: _image, ...filesOnly } = RELEASE;
  assert.ok(agrees(without, filesOnly, 'stable', 'aarch64'), 'files go anywhere');
  assert.ok(!agrees(INSTALL, filesOnly, 'stable', 'x86_64'));
});

test('a document for another license, another site or another product is refused', async () => {
  for (const other of [{ license: 'lic-2' }, { site: 'site-2' }, { product: 'other' }]) {
    const direction = { director: { ...DIRECTOR, ...other }, keyId: KEY.keyId };
    await rejectsWith('director-invalid', async () => requireDirection(direction, SITE, undefined, NOW));
  }
});

test('replay: an older document is refused, an expired one too; a new key starts its own sequence', async () => {
  const direction = { director: DIRECTOR, keyId: KEY.keyId };
  const at = (sequence: number, keyId = KEY.keyId, nowMs = NOW) =>
    rejectsWith('director-older', async () => requireDirection(direction, SITE, { keyId, sequence }, nowMs));
  await at(6);
  requireDirection(direction, SITE, { keyId: 'the key before', sequence: Number.MAX_SAFE_INTEGER }, NOW);
  await rejectsWith('director-expired', async () => requireDirection(direction, SITE, undefined, NOW + DAY_MS));
});

test('a foreign key, an altered document and one of another type are refused', async () => {
  const stranger = directorKey();
  const documents = [
    await signDirector(DIRECTOR, stranger.privateKey, KEY.keyId),
    await signDirector(DIRECTOR, stranger.privateKey, stranger.keyId),
    await signJws('rollover-license+jws', DIRECTOR, KEY.privateKey, KEY.keyId),
    await signJws('rollover-director+jws', { ...DIRECTOR, more: 1 }, KEY.privateKey, KEY.keyId),
    'nonsense',
  ];
  const good = await signDirector(DIRECTOR, KEY.privateKey, KEY.keyId);
  const [head, payload, signature] = good.split('.') as [string, string, string];
  documents.push(`${head}.${payload.slice(0, -2)}${payload.endsWith('A') ? 'BA' : 'AA'}.${signature}`);
  for (const document of documents) await rejectsWith('director-invalid', () => verifyDirector(document, KEY.keys));
});
