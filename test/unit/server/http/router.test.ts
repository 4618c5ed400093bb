// The habits that every call of the API has, whatever it does: rates, entity tags, pages, repeated POSTs, refusals.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import request from 'supertest';
import { z } from 'zod';
import type { Scope } from '../../../../server/access/scopes.ts';
import { serverError } from '../../../../server/errors.ts';
import { openApiOf } from '../../../../server/http/openapi.ts';
import { type Cursor, page, pageOf, pageQuery, readCursor } from '../../../../server/http/paging.ts';
import { RateLimiter } from '../../../../server/http/rate-limit.ts';
import { route } from '../../../../server/http/route.ts';
import { appOf } from '../../../../server/http/router.ts';
import { startTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { tenantOn, testVault } from '../../../support/tenant.ts';

const ITEMS = Array.from({ length: 7 }, (_, i) => ({ name: `item-${i}` }));
const itemSchema = z.strictObject({ name: z.string() });

let nowMs = Date.parse('2026-11-23T12:00:00Z');
let made = 0;
let fails = false;

const ROUTES = [
  route({
    method: 'get',
    path: '/v1/items',
    tag: 'items',
    summary: 'all items',
    access: 'license:read',
    query: z.object(pageQuery),
    answer: pageOf(itemSchema),
    async handle({ query }) {
      const after = readCursor(query.cursor)?.id ?? '';
      const rows = ITEMS.filter(({ name }) => name > after).slice(0, query.limit + 1);
      return page(
        rows,
        query.limit,
        row => row,
        (row): Cursor => ({ at: '', id: row.name }),
      );
    },
  }),
  route({
    method: 'post',
    path: '/v1/items',
    tag: 'items',
    summary: 'another item',
    access: 'license:write',
    body: itemSchema,
    bodyBytes: 1024,
    answer: z.strictObject({ name: z.string(), number: z.int() }),
    status: 201,
    async handle({ body }) {
      if (fails) throw serverError('service-failed', 'Not now.');
      made++;
      return { name: body.name, number: made };
    },
  }),
  route({
    method: 'patch',
    path: '/v1/items/:name',
    tag: 'items',
    summary: 'change an item',
    access: 'license:write',
    params: z.object({ name: z.string().max(20) }),
    body: z.strictObject({}),
    answer: z.strictObject({ name: z.string(), revision: z.int() }),
    async handle({ params, ifMatch }) {
      if (ifMatch !== undefined && ifMatch !== 3) throw serverError('precondition-failed', 'It has been changed.');
      return { name: params.name, revision: 4 };
    },
  }),
  route({
    method: 'get',
    path: '/v1/things',
    tag: 'items',
    summary: 'all items, by their old name',
    access: 'license:read',
    query: z.object(pageQuery),
    answer: pageOf(itemSchema),
    deprecated: { since: '2026-01-01', sunset: '2027-01-01', successor: '/v1/items' },
    handle: async () => ({ items: [], next: 'more' }),
  }),
];

let app: ReturnType<typeof appOf>;
let database: TestDatabase;
before(async () => {
  database = await startTestDatabase();
  const { db } = database;
  const now = () => new Date(nowMs);
  app = appOf(ROUTES, {
    context: tenantOn(db, { now }),
    limiter: new RateLimiter({ perSecond: 10, burst: 20, now: () => nowMs }),
    idempotency: { db, now, vault: testVault() },
    async authenticate(call) {
      const name = call.headers.authorization;
      if (name === undefined) throw serverError('unauthorized', 'No token.');
      const scopes = new Set<Scope>(name === 'reader' ? ['license:read'] : ['license:read', 'license:write']);
      return { actor: `token:${name}`, organization: `of-${name}`, scopes, products: undefined };
    },
  });
});
after(() => database.close());

const as = (name: string) => ({
  get: (path: string) => request(app).get(path).set('authorization', name),
  post: (body: object, key?: string) => {
    const call = request(app).post('/v1/items').set('authorization', name);
    return (key === undefined ? call : call.set('idempotency-key', key)).send(body);
  },
  patch: (tag?: string) => {
    const call = request(app).patch('/v1/items/a').set('authorization', name);
    return (tag === undefined ? call : call.set('if-match', tag)).send({});
  },
});

test('a list comes in pages, each with a link to the next', async () => {
  const seen: string[] = [];
  let path = '/v1/items?limit=3';
  for (;;) {
    const { body, headers } = await as('pager').get(path).expect(200);
    seen.push(...body.items.map((item: { name: string }) => item.name));
    const link = /^<(.+)>; rel="next"$/.exec(headers['link'] ?? '')?.[1];
    assert.equal(link === undefined, body.next === null);
    if (link === undefined) break;
    path = link;
  }
  assert.deepEqual(
    seen,
    ITEMS.map(({ name }) => name),
  );
  await as('pager').get('/v1/items?limit=0').expect(400);
  await as('pager').get('/v1/items?cursor=nonsense').expect(400);
  await as('pager').get('/v1/items?surprise=1').expect(400);
});

test('a scope that is missing is named, and the body of a stranger is not read', async () => {
  const { body } = await as('reader').post({ name: 'x' }).expect(403);
  assert.match(body.detail, /license:write/);
  await request(app)
    .post('/v1/items')
    .send({ name: 'x'.repeat(5000) })
    .expect(401);
  await as('writer')
    .post({ name: 'x'.repeat(5000) })
    .expect(413);
});

test('a repeated POST has its effect once; another one under the same key is refused', async () => {
  const first = await as('poster').post({ name: 'once' }, 'key-1').expect(201);
  const again = await as('poster').post({ name: 'once' }, 'key-1').expect(201);
  assert.deepEqual(again.body, first.body);
  assert.equal((await as('poster').post({ name: 'other' }, 'key-1').expect(422)).body.code, 'idempotency-mismatch');
  const kept = await database.db.selectFrom('idempotency').select('body').execute();
  assert.ok(kept.length > 0);
  for (const { body } of kept) assert.doesNotMatch(Buffer.from(body ?? '', 'base64').toString('latin1'), /once/);
  const stranger = await as('stranger').post({ name: 'once' }, 'key-1').expect(201);
  assert.notEqual(stranger.body.number, first.body.number, 'keys belong to their caller');
  await as('poster').post({ name: 'once' }, ' ').expect(400);
});

test('of POSTs that race under one key, one has its effect; what failed may be tried again', async () => {
  const before = made;
  const answers = await Promise.all(Array.from({ length: 5 }, () => as('racer').post({ name: 'race' }, 'key-2')));
  assert.equal(made, before + 1);
  for (const { status, body } of answers) assert.ok(status === 201 || body.code === 'idempotency-running');
  fails = true;
  await as('racer').post({ name: 'fails' }, 'key-3').expect(502);
  fails = false;
  await as('racer').post({ name: 'fails' }, 'key-3').expect(201);
});

test('a change of something that somebody else has changed is refused', async () => {
  assert.equal((await as('editor').patch('"3"').expect(200)).headers['etag'], '"4"');
  assert.equal((await as('editor').patch('"2"').expect(412)).body.code, 'precondition-failed');
  await as('editor').patch().expect(200);
  await as('editor').patch('nonsense').expect(400);
});

test('calls above the rate are refused with the time to wait, for that caller only', async () => {
  for (let i = 0; i < 20; i++) await as('hasty').get('/v1/items').expect(200);
  const { body, headers } = await as('hasty').get('/v1/items').expect(429);
  assert.equal(body.code, 'too-many-requests');
  assert.equal(headers['retry-after'], '1');
  await as('patient').get('/v1/items').expect(200);
  nowMs += 1000;
  await as('hasty').get('/v1/items').expect(200);
});

test('a deprecated call says since when, until when and what to call instead, also when it is refused', async () => {
  for (const [path, status] of [
    ['/v1/things', 200],
    ['/v1/things?limit=0', 400],
  ] as const) {
    const { headers } = await as('reader').get(path).expect(status);
    assert.equal(headers['deprecation'], '@1767225600');
    assert.equal(headers['sunset'], 'Fri, 01 Jan 2027 00:00:00 GMT');
    assert.match(headers['link'] ?? '', /<\/v1\/items>; rel="successor-version"/);
  }
  const { headers } = await as('reader').get('/v1/things').expect(200);
  assert.match(headers['link'] ?? '', /rel="next"/, 'the link to the next page is there as well');
  const other = await as('reader').get('/v1/items').expect(200);
  assert.deepEqual([other.headers['deprecation'], other.headers['sunset']], [undefined, undefined]);
});

test('the OpenAPI document marks what is deprecated, and nothing else', () => {
  const { paths } = openApiOf(ROUTES, { title: 'items', version: '1', description: '' }) as {
    paths: Record<string, Record<string, { deprecated?: boolean; description?: string }>>;
  };
  const marked = Object.entries(paths).filter(([, calls]) => Object.values(calls).some(call => call.deprecated));
  assert.deepEqual(
    marked.map(([path]) => path),
    ['/v1/things'],
  );
  assert.match(paths['/v1/things']?.['get']?.description ?? '', /in favor of \/v1\/items/);
});

test('the OpenAPI document says what each call takes and answers', () => {
  const document = openApiOf(ROUTES, { title: 'items', version: '1', description: '' }) as {
    paths: Record<string, Record<string, { parameters: { name: string; in: string }[]; responses: object }>>;
  };
  assert.deepEqual(Object.keys(document.paths), ['/v1/items', '/v1/items/{name}', '/v1/things']);
  const list = document.paths['/v1/items']?.['get'];
  assert.deepEqual(
    list?.parameters.map(({ name, in: where }) => [name, where]),
    [
      ['limit', 'query'],
      ['cursor', 'query'],
    ],
  );
  assert.ok(document.paths['/v1/items/{name}']?.['patch']?.parameters.some(({ name }) => name === 'If-Match'));
  assert.doesNotThrow(() => JSON.stringify(document));
});
