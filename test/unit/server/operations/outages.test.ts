// What the service leans on goes away and comes back: callers are told so, nothing is lost, and nobody has to start it again.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { s3Stores } from '../../../../bundles/index.ts';
import { setUpRoot } from '../../../../server/ceremony/first-root.ts';
import { startEmbeddedPostgres } from '../../../../server/db/embedded-postgres.ts';
import { startServer } from '../../../../server/main.ts';
import { apiClient } from '../../../../server/pipeline/api-client.ts';
import { sha256Hex } from '../../../../signing/index.ts';
import { rejectsWith } from '../../../support/errors.ts';
import { freePorts } from '../../../support/processes.ts';
import { startTcpProxy } from '../../../support/tcp-proxy.ts';
import { temporary } from '../../../support/temporary.ts';

/** A service whose database is reached over a line that can be cut. */
async function serviceOnALine(t: TestContext) {
  const directory = await temporary(t);
  await chmod(directory, 0o711);
  const postgres = await startEmbeddedPostgres(join(directory, 'postgres'));
  t.after(() => postgres.stop());
  const line = await startTcpProxy([{ path: join(postgres.connection.host, '.s.PGSQL.5432') }]);
  t.after(() => line.close());
  const [port, feedPort] = (await freePorts([0, 0])) as [number, number];
  const server = await startServer({
    directory: join(directory, 'data'),
    host: '127.0.0.1',
    port,
    feedPort,
    databaseUrl: `postgresql://rollover@127.0.0.1:${line.port}/rollover`,
    shutdown: { withinMs: 2000 },
  });
  t.after(() => server.close());
  const token = (await readFile(server.adminTokenPath, 'utf8')).trim();
  const api = apiClient(server.url, token);
  const one = { root: 1, targets: 1, 'offline-snapshot': 1 };
  await setUpRoot(api, { keysDirectory: join(directory, 'keys'), keys: one, thresholds: one, nowMs: Date.now() });
  return { line, api, url: server.url, token };
}

const ORDER = { customer: 'Acme', product: 'cloud', channels: ['stable'], nodes: 1, sites: 1 };

test('a database that is away is a 503 with a code and a time to wait; when it is back, so is the service', async t => {
  const { line, api, url, token } = await serviceOnALine(t);
  await api.post('/v1/licenses', ORDER);
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'idempotency-key': 'order-1',
  };
  const issue = () => fetch(`${url}/v1/licenses`, { method: 'POST', headers, body: JSON.stringify(ORDER) });

  line.cut();
  const refused = await issue();
  assert.equal(refused.status, 503);
  assert.equal(((await refused.json()) as { code: string }).code, 'database-away');
  assert.equal(refused.headers.get('content-type'), 'application/problem+json; charset=utf-8');
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  assert.equal((await fetch(`${url}/readyz`)).status, 503);
  assert.equal((await fetch(`${url}/livez`)).status, 200, 'it need not be started again');

  line.mend();
  let answer = await issue();
  for (let i = 0; i < 100 && !answer.ok; i++) {
    await sleep(100);
    answer = await issue();
  }
  assert.equal(answer.status, 201);
  const first = await answer.json();
  assert.deepEqual(await (await issue()).json(), first, 'the same key has the same answer');
  assert.equal((await api.all('/v1/licenses')).length, 2);
});

test('an object store that answers 503 for good is said to be away, and so is one that nobody answers at', async t => {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(503).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  const [silent] = (await freePorts([0])) as [number];
  const bytes = Buffer.from('x');
  for (const port of [(server.address() as AddressInfo).port, silent]) {
    const options = { bucket: 'b', endpoint: `http://127.0.0.1:${port}` };
    const store = (await s3Stores({ ...options, credentials: { accessKeyId: 'a', secretAccessKey: 'b' } }))('');
    await rejectsWith('object-store-away', () => store.put(sha256Hex(bytes), bytes));
    await rejectsWith('object-store-away', () => store.get(sha256Hex(bytes)));
  }
});
