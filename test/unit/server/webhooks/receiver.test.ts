// What docs/webhooks.md tells receivers, run against what the service sends: the genuine passes, and the forged does not.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { EVENT_TYPES } from '../../../../server/webhooks/events.ts';
import { newSecret, secretText, signatureHeaders } from '../../../../server/webhooks/signature.ts';
import { temporary } from '../../../support/temporary.ts';

const PAGE = await readFile(new URL('../../../../docs/webhooks.md', import.meta.url), 'utf8');
const BODY = '{"type":"license.revoked","data":{"license":"lic-1"}}';

type IsGenuine = (secret: string, headers: Readonly<Record<string, string>>, body: string) => boolean;

async function receiverOfThePage(t: Parameters<typeof temporary>[0]): Promise<IsGenuine> {
  const code = /```js\n([\s\S]+?)```/.exec(PAGE)?.[1];
  assert.ok(code);
  const path = join(await temporary(t), 'receiver.mjs');
  await writeFile(path, code);
  return (await import(path)).isGenuine;
}

test('the receiver of the page takes what is genuine, and nothing that was forged, altered or replayed later', async t => {
  const isGenuine = await receiverOfThePage(t);
  const secret = newSecret();
  const text = secretText(secret);
  const now = new Date();
  const headers = signatureHeaders('evt_1', now, BODY, [secret]);
  assert.ok(isGenuine(text, headers, BODY));

  const forged = signatureHeaders('evt_1', now, BODY, [newSecret()]);
  assert.ok(!isGenuine(text, forged, BODY), 'another secret');
  assert.ok(!isGenuine(text, headers, BODY.replace('lic-1', 'lic-2')), 'another body');
  assert.ok(!isGenuine(text, { ...headers, 'webhook-id': 'evt_2' }, BODY), 'another id');
  const later = String(Number(headers['webhook-timestamp']) + 1);
  assert.ok(!isGenuine(text, { ...headers, 'webhook-timestamp': later }, BODY), 'another time');
  const old = signatureHeaders('evt_1', new Date(now.getTime() - 600_000), BODY, [secret]);
  assert.ok(!isGenuine(text, old, BODY), 'recorded, and sent again ten minutes later');
  for (const signature of ['', 'v1,', 'v1,é', 'v2,x', `v1,${'A'.repeat(44)}`]) {
    assert.ok(!isGenuine(text, { ...headers, 'webhook-signature': signature }, BODY), signature);
  }
  const { 'webhook-signature': _, ...unsigned } = headers;
  assert.ok(!isGenuine(text, unsigned, BODY));
  assert.ok(!isGenuine(text, {}, BODY));
});

test('while a secret is rotated, a receiver with either takes it', async t => {
  const isGenuine = await receiverOfThePage(t);
  const [next, old] = [newSecret(), newSecret()];
  const headers = signatureHeaders('evt_1', new Date(), BODY, [next, old]);
  for (const secret of [next, old]) assert.ok(isGenuine(secretText(secret), headers, BODY));
  assert.ok(!isGenuine(secretText(newSecret()), headers, BODY));
});

test('signatures are those of Standard Webhooks', () => {
  const secret = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64');
  const at = new Date(1614265330_000);
  const body = '{"test": 2432232314}';
  const headers = signatureHeaders('msg_p5jXN8AQM9LWM0D4loKWxJek', at, body, [secret]);
  // The vector of the reference implementation's tests.
  assert.equal(headers['webhook-signature'], 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  assert.equal(headers['webhook-timestamp'], '1614265330');
  assert.match(secretText(newSecret()), /^whsec_[A-Za-z0-9+/]{43}=$/);
});

test('the page lists every type of event', () => {
  for (const type of EVENT_TYPES) assert.ok(PAGE.includes(`\`${type}\``), type);
});
