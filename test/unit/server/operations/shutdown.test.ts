// The service is told to stop: it says so first, answers what it was asked, and is gone within its bound.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sha256Hex } from '../../../../signing/index.ts';
import { fixedBytes } from '../../../support/release-tree.ts';
import { startTestService, type TestService } from '../../../support/service.ts';

const LARGE = fixedBytes('large', 24 * 1024 * 1024);
const DIGEST = sha256Hex(LARGE);

/** A download that has begun, and whose receiver does not read on by itself. */
async function beginDownload({ url, token }: TestService): Promise<http.IncomingMessage> {
  const headers = { authorization: `Bearer ${token}` };
  const request = http.get(`${url}/v1/objects/${DIGEST}`, { headers, agent: new http.Agent({ keepAlive: true }) });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  response.pause();
  return response;
}

test('readiness goes first; a long download and a slow request come to their end; then nobody listens', async () => {
  const service = await startTestService({ shutdown: { noticeMs: 1000, withinMs: 30_000 } });
  await service.api.put(`/v1/objects/${DIGEST}`, LARGE);
  const download = await beginDownload(service);
  const slow = http.request(`${service.url}/v1/licenses`, {
    method: 'POST',
    headers: { authorization: `Bearer ${service.token}`, 'content-type': 'application/json' },
    agent: new http.Agent({ keepAlive: true }),
  });
  const answered = once(slow, 'response') as Promise<[http.IncomingMessage]>;
  slow.write('{"customer":"Acme","product":"cloud","channels":["stable"],');

  const closed = service.close();
  await sleep(50);
  const ready = await fetch(`${service.url}/readyz`);
  assert.deepEqual([ready.status, await ready.json()], [503, { status: 'stopping', checks: [] }]);
  assert.equal((await fetch(`${service.url}/healthz`)).status, 200, 'until they notice, callers are answered');
  for (let refused = false; !refused; await sleep(20)) {
    refused = await fetch(`${service.url}/livez`).then(
      () => false,
      () => true,
    );
  }
  slow.end('"nodes":1,"sites":1}');
  const [answer] = await answered;
  assert.equal(answer.statusCode, 201);
  answer.resume();
  const parts: Buffer[] = [];
  for await (const part of download) parts.push(part);
  assert.ok(Buffer.concat(parts).equals(LARGE), 'the download is whole');
  await closed;
});

test('what does not end within the bound is cut off', async () => {
  const service = await startTestService({ shutdown: { withinMs: 300 } });
  await service.api.put(`/v1/objects/${DIGEST}`, LARGE);
  const download = await beginDownload(service);
  const cut = once(download, 'error');
  await service.close();
  download.resume();
  const [error] = (await cut) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNRESET');
});
