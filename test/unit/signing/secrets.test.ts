// Licenses, entitlement keys, wraps, sealed secrets: what opens, and what must not.
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { exportJWK } from 'jose';
import {
  entitlementPublicKey,
  type License,
  licenseObjections,
  openSecret,
  pskOf,
  sealSecret,
  signLicense,
  unwrapContentKey,
  verifyLicense,
  wrapContentKey,
  wrapSchema,
} from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';

const RELEASE = 'a'.repeat(64);

async function newLicense(): Promise<License> {
  return {
    version: 1,
    id: 'lic-1',
    customer: 'Acme',
    product: 'cloud',
    channels: ['stable'],
    limits: { nodes: 10, sites: 1 },
    features: [],
    issuedAt: '2026-01-01T00:00:00Z',
    notBefore: '2026-01-01T00:00:00Z',
    expiresAt: '2027-01-01T00:00:00Z',
    entitlement: { publicKey: await entitlementPublicKey(randomBytes(32)) },
  };
}

async function newIssuer() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const issuers = Buffer.from(JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k1' }] }));
  return { privateKey, issuers };
}

test('a content key wrapped for a license opens with its secret, for that release', async () => {
  const secret = randomBytes(32);
  const contentKey = randomBytes(32);
  const binding = { license: 'lic-1', release: RELEASE };
  const wrap = await wrapContentKey(contentKey, await entitlementPublicKey(secret), binding);
  wrapSchema.parse(wrap);
  assert.deepEqual(await unwrapContentKey(secret, wrap, binding), contentKey);
  assert.ok(JSON.stringify(wrap).length < 4000, 'a license costs less than 4 kB a release');
});

test('a wrap opens for no other license, no other release, no other secret, and not when altered', async () => {
  const secret = randomBytes(32);
  const binding = { license: 'lic-1', release: RELEASE };
  const wrap = await wrapContentKey(randomBytes(32), await entitlementPublicKey(secret), binding);
  const other = 'b'.repeat(64);
  const attempts: [Uint8Array, typeof wrap, typeof binding][] = [
    [secret, wrap, { ...binding, license: 'lic-2' }],
    [secret, { ...wrap, license: 'lic-2' }, { ...binding, license: 'lic-2' }],
    [secret, wrap, { ...binding, release: other }],
    [secret, { ...wrap, release: other }, { ...binding, release: other }],
    [randomBytes(32), wrap, binding],
    [
      secret,
      { ...wrap, ciphertext: `${wrap.ciphertext.slice(0, -1)}${wrap.ciphertext.endsWith('A') ? 'B' : 'A'}` },
      binding,
    ],
    [secret, { ...wrap, encapsulated: `A${wrap.encapsulated.slice(1)}B`.slice(0, 1494) }, binding],
  ];
  for (const [s, w, b] of attempts) await rejectsWith('wrap-unopenable', () => unwrapContentKey(s, w, b));
});

test('the pre-shared key tells nothing of the secret, and is the same every time', () => {
  const secret = randomBytes(32);
  assert.deepEqual(pskOf(secret), pskOf(secret));
  assert.notDeepEqual(pskOf(secret), secret);
  assert.throws(() => pskOf(randomBytes(16)), RangeError);
});

test('a license of the vendor is read; an altered or foreign one is not', async () => {
  const license = await newLicense();
  const issuer = await newIssuer();
  const document = await signLicense(license, issuer.privateKey, 'k1');
  assert.deepEqual(await verifyLicense(document, issuer.issuers), license);
  const [head, payload, signature] = document.split('.') as [string, string, string];
  const richer = Buffer.from(JSON.stringify({ ...license, limits: { nodes: 1e6, sites: 1e6 } })).toString('base64url');
  await rejectsWith('license-invalid', () => verifyLicense(`${head}.${richer}.${signature}`, issuer.issuers));
  const unsigned = Buffer.from('{"alg":"none"}').toString('base64url');
  await rejectsWith('license-invalid', () => verifyLicense(`${unsigned}.${payload}.`, issuer.issuers));
  const foreign = await newIssuer();
  await rejectsWith('license-invalid', () => verifyLicense(document, foreign.issuers));
});

test('every objection to a license is told, not only the first', async () => {
  const license = await newLicense();
  const wanted = { product: 'other', channel: 'edge', nowMs: Date.parse('2028-01-01') };
  assert.deepEqual(
    licenseObjections(license, wanted).map(o => o.reason),
    ['expired', 'other-product', 'channel-not-included'],
  );
  const early = { product: 'cloud', channel: 'stable', nowMs: Date.parse('2025-01-01') };
  assert.deepEqual(
    licenseObjections(license, early).map(o => o.reason),
    ['not-yet-valid'],
  );
  assert.deepEqual(licenseObjections(license, { ...early, nowMs: Date.parse('2026-06-01') }), []);
});

test('a sealed secret opens with its key for its purpose only', async () => {
  const kek = randomBytes(32);
  const sealed = sealSecret(kek, 'psk:lic-1', Buffer.from('secret'));
  assert.equal(openSecret(kek, 'psk:lic-1', sealed).toString(), 'secret');
  await rejectsWith('secret-unsealable', async () => openSecret(kek, 'psk:lic-2', sealed));
  await rejectsWith('secret-unsealable', async () => openSecret(randomBytes(32), 'psk:lic-1', sealed));
  await rejectsWith('secret-unsealable', async () => openSecret(kek, 'psk:lic-1', sealed.subarray(0, 10)));
});
