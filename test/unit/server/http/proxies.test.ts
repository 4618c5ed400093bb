// Behind proxies: whose word about the caller's address is believed, in the audit log, where guesses are counted, and in the log.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import request from 'supertest';
import { z } from 'zod';
import { cookieOf } from '../../../../server/access/cookies.ts';
import { visitorOf } from '../../../../server/access/visitor.ts';
import type { Context } from '../../../../server/context.ts';
import { parseProxies } from '../../../../server/http/proxies.ts';
import { route } from '../../../../server/http/route.ts';
import { testApi } from '../../../support/api.ts';
import { rejectsWith } from '../../../support/errors.ts';

const answer = z.strictObject({ audited: z.string(), throttled: z.string() });

/** What audit and throttling take the caller's address to be, and what the log has. */
async function seen(trustedProxies: readonly string[], forwarded: string) {
  const lines: { address?: string }[] = [];
  const log = pino({ level: 'info' }, { write: line => void lines.push(JSON.parse(line)) });
  const who = route({
    method: 'get',
    path: '/who',
    tag: 'test',
    summary: 'who calls',
    access: 'anybody',
    answer,
    handle: async ({ tenant, request, response }) => ({
      audited: tenant.origin?.address ?? '',
      throttled: visitorOf(request, response).address,
    }),
  });
  const context = { log, now: () => new Date(), storageOf: () => undefined } as unknown as Context;
  const app = testApi([who], context, { trustedProxies });
  const { body } = await request(app).get('/who').set('x-forwarded-for', forwarded).expect(200);
  while (lines.length === 0) await new Promise(setImmediate);
  return [body.audited, body.throttled, lines[0]?.address].map(address => address?.replace('::ffff:', ''));
}

const all = (address: string) => [address, address, address];
/** The test's own connection. */
const HERE = ['127.0.0.1', '::1'];

test('without trusted proxies, X-Forwarded-For is the caller’s own fancy and changes nothing', async () => {
  for (const forwarded of ['203.0.113.9', '127.0.0.1, 203.0.113.9', 'nonsense']) {
    assert.deepEqual(await seen([], forwarded), all('127.0.0.1'), forwarded);
  }
  assert.deepEqual(await seen(['10.20.0.0/16'], '203.0.113.9'), all('127.0.0.1'), 'this is not one of them');
});

test('a trusted proxy says who called it; what the caller wrote before is not believed', async () => {
  assert.deepEqual(await seen(HERE, '203.0.113.9'), all('203.0.113.9'));
  assert.deepEqual(await seen(HERE, '198.51.100.1, 203.0.113.9'), all('203.0.113.9'), 'the first was made up');
  assert.deepEqual(await seen(HERE, '127.0.0.1, 203.0.113.9'), all('203.0.113.9'), 'not to be the proxy either');
  assert.deepEqual(await seen([...HERE, '10.20.0.0/16'], '203.0.113.9, 10.20.3.4'), all('203.0.113.9'), 'two proxies');
});

test('what a proxy passes on and is no address leaves its own', async () => {
  for (const forwarded of ['nonsense', '', '203.0.113.9:4711', "'; drop table audit"]) {
    assert.deepEqual(await seen(HERE, forwarded), all('127.0.0.1'), forwarded);
  }
});

test('over plain http, somebody behind a proxy on this machine is not on this machine', async () => {
  const cookie = cookieOf('http://127.0.0.1:8470', 'c', 'strict');
  const signIn = route({
    method: 'get',
    path: '/sign-in',
    tag: 'test',
    summary: 'signs in',
    access: 'anybody',
    answer: 'empty',
    handle: async call => cookie.requireSafe(call.request),
  });
  const log = pino({ level: 'silent' });
  const context = { log, now: () => new Date(), storageOf: () => undefined } as unknown as Context;
  const app = testApi([signIn], context, { trustedProxies: HERE });
  const from = (forwarded: string) =>
    request(app).get('/sign-in').set('host', '127.0.0.1:8470').set('x-forwarded-for', forwarded);
  await from('127.0.0.1').expect(204);
  assert.equal((await from('203.0.113.9')).body.code, 'sign-in-insecure');
});

test('proxies are addresses and networks; one of everybody is none', async () => {
  const good = ['10.0.0.7', '10.20.0.0/16', 'fd12::/32', '::1', '192.0.2.1/32'];
  assert.deepEqual(parseProxies(good), good);
  for (const bad of [
    '',
    'loopback',
    '10.0.0.0/33',
    '0.0.0.0/0',
    '::/0',
    '10.0.0.0/',
    'proxy.example',
    'fe80::1%eth0',
    '1/2/3',
  ]) {
    const { message } = await rejectsWith('config-invalid', async () => parseProxies(['10.0.0.7', bad]));
    assert.ok(message.endsWith(`: ${bad}.`), 'only what is wrong is named');
  }
});
