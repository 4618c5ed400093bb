// Attack stories against the sender: names that change their mind, receivers that lead elsewhere, stall, or never end.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { parseNetworks } from '../../../../server/webhooks/networks.ts';
import { type Outcome, send } from '../../../../server/webhooks/send.ts';
import { selfSigned } from '../../../support/certificate.ts';
import { type Receiver, startReceiver } from '../../../support/receiver.ts';

/** The receiver's network is allowed; the victim, a service of ours on the same machine, is in none that is. */
const NETWORKS = parseNetworks(['127.0.0.2/32']);
const POST = { headers: { 'content-type': 'application/json', 'webhook-id': 'evt_1' }, body: '{"type":"ping"}' };

let receiver: Receiver;
let victim: Receiver;
before(async () => {
  receiver = await startReceiver('127.0.0.2');
  victim = await startReceiver('127.0.0.1');
});
after(() => Promise.all([receiver.close(), victim.close()]));

const named = (port: number) => `http://rebind.example:${port}/hook`;

function isFailure(outcome: Outcome, pattern: RegExp): void {
  assert.ok(!outcome.ok);
  assert.match(outcome.error, pattern);
}

test('a delivery is one POST with what was signed', async () => {
  const count = receiver.received.length;
  receiver.answer = 204;
  assert.deepEqual(await send({ url: receiver.url, ...POST }, { networks: NETWORKS }), { ok: true, status: 204 });
  assert.equal(receiver.received.length, count + 1);
  const { body, headers } = receiver.received.at(-1) as (typeof receiver.received)[number];
  assert.equal(body, POST.body);
  assert.equal(headers['content-type'], 'application/json');
  assert.equal(headers['content-length'], String(POST.body.length));
});

test('DNS rebinding: the name is asked for once, and what was checked is what is connected to', async () => {
  const [known, attacked] = [receiver.received.length, victim.received.length];
  receiver.answer = 200;
  let asked = 0;
  const resolve = async () => (asked++ === 0 ? ['127.0.0.2'] : ['127.0.0.1']);
  const options = { networks: NETWORKS, resolve };
  assert.ok((await send({ url: named(receiver.port), ...POST }, options)).ok);
  assert.equal(asked, 1);
  assert.equal(receiver.received.length, known + 1);
  isFailure(await send({ url: named(victim.port), ...POST }, options), /may not go to/);
  assert.equal(asked, 2);
  assert.equal(victim.received.length, attacked, 'the victim heard nothing');
});

test('a name with a good address and a bad one is refused, whichever comes first', async () => {
  const [known, attacked] = [receiver.received.length, victim.received.length];
  for (const addresses of [
    ['127.0.0.2', '127.0.0.1'],
    ['127.0.0.1', '127.0.0.2'],
    ['127.0.0.2', '::ffff:7f00:1'],
    [],
  ]) {
    const outcome = await send(
      { url: named(receiver.port), ...POST },
      { networks: NETWORKS, resolve: async () => addresses },
    );
    isFailure(outcome, /may not go to/);
    assert.doesNotMatch(outcome.ok ? '' : outcome.error, /127/, 'it tells nothing of our network');
  }
  assert.deepEqual([receiver.received.length, victim.received.length], [known, attacked]);
});

test('the name of this machine is refused as the operating system answers it', async () => {
  const url = `https://localhost:8443/hook`;
  isFailure(await send({ url, ...POST }, { networks: parseNetworks([]) }), /may not go to/);
});

test('a redirect to a private address is not followed', async () => {
  const attacked = victim.received.length;
  for (const status of [301, 302, 303, 307, 308]) {
    receiver.answer = response => void response.writeHead(status, { location: victim.url }).end();
    isFailure(await send({ url: receiver.url, ...POST }, { networks: NETWORKS }), /redirects/);
  }
  assert.equal(victim.received.length, attacked);
});

test('a receiver that takes the connection and says nothing is given up', async () => {
  receiver.answer = () => undefined;
  isFailure(
    await send({ url: receiver.url, ...POST }, { networks: NETWORKS, limitMs: 200 }),
    /no answer within 0\.2 s/,
  );
});

test('a name server that never answers is given up', async () => {
  const options = { networks: NETWORKS, limitMs: 200, resolve: () => new Promise<never>(() => undefined) };
  isFailure(await send({ url: named(receiver.port), ...POST }, options), /no answer within/);
});

test('an endless answer is cut off after 64 KiB, and what it said first counts', async () => {
  let written = 0;
  const ended = new Promise<void>(resolve => {
    receiver.answer = response => {
      response.writeHead(200);
      const chunk = Buffer.alloc(16 * 1024);
      const more = () => {
        if (response.destroyed) return;
        written += chunk.length;
        response.write(chunk, () => setImmediate(more));
      };
      response.on('close', resolve);
      more();
    };
  });
  assert.deepEqual(await send({ url: receiver.url, ...POST }, { networks: NETWORKS }), { ok: true, status: 200 });
  await ended;
  assert.ok(written > 64 * 1024);
});

test('an answer that drips for ever ends with the time, and what it said first counts', async () => {
  receiver.answer = response => {
    response.writeHead(200);
    const drip = setInterval(() => response.write('.'), 20);
    response.on('close', () => clearInterval(drip));
  };
  const outcome = await send({ url: receiver.url, ...POST }, { networks: NETWORKS, limitMs: 300 });
  assert.deepEqual(outcome, { ok: true, status: 200 });
});

test('headers without end are no answer', async () => {
  receiver.answer = response => {
    for (let i = 0; i < 300; i++) response.setHeader(`x-${i}`, 'x'.repeat(1000));
    response.end();
  };
  isFailure(await send({ url: receiver.url, ...POST }, { networks: NETWORKS }), /./);
});

test('an impostor without a certificate for the name hears nothing', async t => {
  const certificate = await selfSigned('hooks.example');
  let heard = 0;
  const server = createServer(certificate, (_request, response) => {
    heard++;
    response.end();
  });
  server.listen(0, '127.0.0.2');
  await once(server, 'listening');
  t.after(() => void server.close());
  const url = `https://hooks.example:${(server.address() as AddressInfo).port}/hook`;
  isFailure(await send({ url, ...POST }, { networks: NETWORKS, resolve: async () => ['127.0.0.2'] }), /certificate/);
  assert.equal(heard, 0);
});

test('nobody there, and a status that is no success, are failures that are told', async () => {
  receiver.answer = 500;
  const outcome = await send({ url: receiver.url, ...POST }, { networks: NETWORKS });
  assert.deepEqual(outcome, { ok: false, status: 500, error: 'it answered with status 500' });
  isFailure(await send({ url: 'http://127.0.0.2:9/', ...POST }, { networks: NETWORKS }), /nobody listens/);
  const resolve = async () => {
    throw Object.assign(new Error('queryA ENOTFOUND'), { code: 'ENOTFOUND' });
  };
  isFailure(await send({ url: named(1), ...POST }, { networks: NETWORKS, resolve }), /not known/);
});
