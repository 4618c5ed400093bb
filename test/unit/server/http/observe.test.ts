// What the service says of itself: a line for each request, numbers, and whether it lives and is ready.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Express } from 'express';
import { pino } from 'pino';
import request from 'supertest';
import { z } from 'zod';
import { filesystemStore } from '../../../../bundles/index.ts';
import { type Check, healthRoutes, serviceChecks } from '../../../../server/http/health.ts';
import { RequestMetrics } from '../../../../server/http/observe.ts';
import { route } from '../../../../server/http/route.ts';
import { type JobQueue, openQueue } from '../../../../server/jobs/queues.ts';
import { metricsRoute } from '../../../../server/metrics/routes.ts';
import { serviceMetrics } from '../../../../server/metrics/service-metrics.ts';
import { testApi } from '../../../support/api.ts';
import { startTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { temporary } from '../../../support/temporary.ts';
import { tenantOn } from '../../../support/tenant.ts';

let database: TestDatabase;
let app: Express;
let queue: JobQueue<object>;
const lines: Record<string, unknown>[] = [];
const log = pino({ level: 'info' }, { write: line => void lines.push(JSON.parse(line)) });

before(async () => {
  database = await startTestDatabase();
  const tenant = tenantOn(database.db, { log });
  const backend = { connection: database.connection, redisUrl: undefined };
  queue = await openQueue<object>(backend, 'observed', { work: async () => undefined, onError: () => undefined });
  const items = route({
    method: 'post',
    path: '/v1/items/:id',
    tag: 'items',
    summary: 'an item',
    access: 'license:write',
    params: z.object({ id: z.string() }),
    body: z.strictObject({ secret: z.string() }),
    answer: 'empty',
    handle: async ({ params }) => {
      if (params.id === 'broken') throw new Error('broken');
    },
  });
  const metrics = new RequestMetrics();
  const numbers = [...metrics.all, ...serviceMetrics(tenant, { observed: queue })];
  app = testApi([items, metricsRoute(numbers), ...healthRoutes([], tenant)], tenant, { metrics });
});
after(async () => {
  await queue.close();
  await database.close();
});

const post = (id: string, caller: string) =>
  request(app)
    .post(`/v1/items/${id}?q=in-the-query`)
    .set('authorization', `Bearer ${caller}`)
    .send({ secret: 'in-the-body' });

/** The line about a request; it is written when the answer has ended, which may be after it has arrived. */
async function lineOf(requestId: string | undefined): Promise<Record<string, unknown>> {
  for (;;) {
    const found = lines.find(line => line['requestId'] === requestId && line['msg'] === 'request');
    if (found) return found;
    await new Promise(setImmediate);
  }
}

test('each request is one line: who called what, how it ended and when; no token, no body, no path', async () => {
  const before = lines.length;
  const { headers } = await post('in-the-path', 'acme license:write').expect(204);
  const { ms, time, pid, hostname, level, requestId, ...line } = await lineOf(headers['x-request-id']);
  assert.equal(typeof ms, 'number');
  assert.deepEqual(line, {
    method: 'POST',
    route: '/v1/items/:id',
    status: 204,
    organization: 'acme',
    actor: 'token:license:write',
    address: '127.0.0.1',
    msg: 'request',
  });
  assert.equal(lines.length, before + 1);
  const refused = await post('x', 'acme site:read').expect(403);
  const told = await lineOf(refused.headers['x-request-id']);
  assert.deepEqual([told['status'], told['actor']], [403, 'token:site:read'], 'who was refused is told as well');
  const lost = await request(app).get('/v1/nobodys').set('authorization', 'Bearer rlv_in-the-header').expect(404);
  assert.equal((await lineOf(lost.headers['x-request-id']))['route'], undefined);
  assert.doesNotMatch(JSON.stringify(lines), /in-the-(query|body|path|header)|Bearer/);
});

test('a failure is logged in full under the id that the caller got', async () => {
  const { body } = await post('broken', 'acme license:write').expect(500);
  await lineOf(body.requestId);
  const [cause] = lines.filter(line => line['requestId'] === body.requestId && line['msg'] === 'request failed');
  assert.match(JSON.stringify(cause), /broken/);
});

test('numbers are for whoever runs the service, and paths that nobody serves make no series', async () => {
  for (const path of ['/v1/nobodys/1', '/v1/nobodys/2']) await request(app).get(path).expect(404);
  const get = (caller: string) => request(app).get('/metrics').set('authorization', `Bearer ${caller}`);
  await request(app).get('/metrics').expect(401);
  await get('acme owner').expect(403);
  const { text, headers } = await get('operator service:read').expect(200);
  assert.match(headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/);
  assert.match(text, /^rollover_http_requests_total\{method="post",route="\/v1\/items\/:id",status="2xx"\} 1$/m);
  assert.match(text, /^rollover_http_request_seconds_count\{method="post",route="\/v1\/items\/:id"\} \d+$/m);
  assert.match(text, /^rollover_http_requests_total\{method="other",route="none",status="4xx"\} \d+$/m);
  assert.doesNotMatch(text, /nobodys/);
  assert.match(text, /^rollover_queue_jobs\{queue="observed",state="waiting"\} 0$/m);
  assert.match(text, /^rollover_database_connections\{state="open"\} [1-9]/m);
  assert.doesNotMatch(text, /unreadable/);
});

test('alive is not ready: each thing that is missing is named, within its time, and why is in the log only', async t => {
  const { db } = database;
  const blobs = filesystemStore(await temporary(t));
  const tenant = { ...tenantOn(db, { log }), storageOf: () => blobs };
  const ask = (checks: readonly Check[]) => testApi(healthRoutes(checks, tenant), tenant);
  const good = serviceChecks(tenant, queue);
  await request(ask(good)).get('/livez').expect(200, { status: 'ok' });
  const { body } = await request(ask(good)).get('/readyz').expect(200);
  assert.equal(body.status, 'ready');
  assert.deepEqual(
    body.checks.map(({ name, status }: { name: string; status: string }) => `${name} ${status}`),
    ['database ok', 'queue ok', 'blobs ok'],
  );
  const bad: Check[] = [
    { name: 'database', run: () => Promise.reject(new Error('password authentication failed')) },
    { name: 'queue', run: () => new Promise(() => undefined) },
  ];
  const app = ask(bad);
  await request(app).get('/livez').expect(200);
  const refused = await request(app).get('/readyz').expect(503);
  assert.deepEqual(
    refused.body.checks.map(({ name, status }: { name: string; status: string }) => `${name} ${status}`),
    ['database failed', 'queue late'],
  );
  assert.doesNotMatch(refused.text, /password/);
  assert.match(JSON.stringify(lines), /password authentication failed/);
});

test('many who ask at once whether it is ready make one look', async () => {
  let looks = 0;
  const counting: Check = { name: 'counted', run: async () => void looks++ };
  const tenant = tenantOn(database.db, { now: () => new Date(0) });
  const app = testApi(healthRoutes([counting], tenant), tenant);
  await Promise.all(Array.from({ length: 20 }, () => request(app).get('/readyz').expect(200)));
  assert.equal(looks, 1);
});
