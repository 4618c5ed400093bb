// What the service says of a channel: believed under its own key, about that channel, while it is valid.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bulletin, signBulletin, verifyBulletin } from '../../../../bundles/index.ts';
import { generateSigningKey, keySetOf } from '../../../../signing/index.ts';
import { rejectsWith } from '../../../support/errors.ts';

const BULLETIN: Bulletin = {
  version: 1,
  product: 'cloud',
  channel: 'stable',
  issuedAt: '2026-03-02T10:00:00.000Z',
  expiresAt: '2026-03-09T10:00:00.000Z',
  sequence: 7,
  newest: { version: '5.0.0', counter: 12 },
  rollouts: [],
  yanked: [{ version: '4.9.0', reason: 'loses volumes', advice: 'upgrade', at: '2026-03-01T10:00:00.000Z' }],
};
const ABOUT = { product: 'cloud', channel: 'stable' };
const NOW = new Date('2026-03-05T00:00:00Z');
const key = generateSigningKey();

test('a bulletin is read back as it was signed, with the key that signed it', async () => {
  const signed = await signBulletin(BULLETIN, key);
  const { bulletin, keyId } = await verifyBulletin(signed, await keySetOf(key), ABOUT, NOW);
  assert.deepEqual(bulletin, BULLETIN);
  assert.match(keyId, /^[0-9a-f]{64}$/);
});

test('a bulletin of another key, altered, of another channel or product, or with more than is known, is none', async () => {
  const signed = await signBulletin(BULLETIN, key);
  const keys = await keySetOf(key);
  const refused = (document: string, about = ABOUT) =>
    rejectsWith('bulletin-invalid', () => verifyBulletin(document, keys, about, NOW));
  await rejectsWith('bulletin-invalid', async () =>
    verifyBulletin(signed, await keySetOf(generateSigningKey()), ABOUT, NOW),
  );
  const [header, payload = '', signature] = signed.split('.');
  const altered = JSON.stringify({ ...JSON.parse(Buffer.from(payload, 'base64url').toString()), yanked: [] });
  await refused([header, Buffer.from(altered).toString('base64url'), signature].join('.'));
  await refused('');
  await refused(signed, { product: 'cloud', channel: 'edge' });
  await refused(signed, { product: 'other', channel: 'stable' });
});

test('a bulletin is good until the moment at which it expires', async () => {
  const signed = await signBulletin(BULLETIN, key);
  const keys = await keySetOf(key);
  const end = Date.parse(BULLETIN.expiresAt);
  await verifyBulletin(signed, keys, ABOUT, new Date(end - 1));
  await rejectsWith('bulletin-expired', () => verifyBulletin(signed, keys, ABOUT, new Date(end)));
});
