// The page of the API: everything it loads comes from the service, under a policy that lets nothing else in; caches may keep it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import request from 'supertest';
import type { Context } from '../../../../server/context.ts';
import { docsRoutes } from '../../../../server/http/docs-page.ts';
import { testApi } from '../../../support/api.ts';

const context = {
  log: pino({ level: 'silent' }),
  now: () => new Date(),
  storageOf: () => undefined,
} as unknown as Context;
const app = testApi(docsRoutes(), context);

async function loadedBy(html: string): Promise<readonly string[]> {
  return [...html.matchAll(/(?:src|href)="(?!data:)([^"]*)"/g)].map(match => match[1] as string);
}

test('the page loads three files of this service, and has no script of its own', async () => {
  const { text, headers } = await request(app)
    .get('/v1/docs')
    .expect(200)
    .expect('content-type', /^text\/html/);
  const paths = await loadedBy(text);
  assert.equal(paths.length, 3);
  for (const path of paths) assert.match(path, /^\/v1\/docs\/[a-z-]+\.[0-9a-f]{16}\.(css|js)$/);
  assert.equal([...text.matchAll(/<script/g)].length, 2);
  assert.doesNotMatch(text, /<script(?! src=)|<style| on\w+=|https?:/);
  const policy = headers['content-security-policy'] ?? '';
  assert.match(policy, /default-src 'none'; script-src 'self';/);
  assert.match(policy, /connect-src 'self'; .*frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*|https?:/);
});

test('what it loads is kept for ever, the page itself is asked for again; who has it gets no bytes', async () => {
  const page = await request(app).get('/v1/docs').expect('cache-control', 'no-cache');
  const types: string[] = [];
  for (const path of ['/v1/docs', ...(await loadedBy(page.text))]) {
    const { headers } = await request(app).get(path).expect(200).expect('x-content-type-options', 'nosniff');
    if (path !== '/v1/docs') assert.equal(headers['cache-control'], 'public, max-age=31536000, immutable');
    types.push((headers['content-type'] ?? '').replace(/;.*/, ''));
    const again = await request(app)
      .get(path)
      .set('if-none-match', headers['etag'] ?? '')
      .expect(304);
    assert.equal(again.text, '');
    await request(app).get(path).set('if-none-match', '"another"').expect(200);
  }
  assert.deepEqual(types, ['text/html', 'text/css', 'text/javascript', 'text/javascript']);
});

test('nothing else is served, whatever it is called', async () => {
  for (const name of ['package.json', 'swagger-ui.css', 'index.html', '..%2fpackage.json', '%2e%2e', '__proto__']) {
    const { status, body } = await request(app).get(`/v1/docs/${name}`);
    assert.deepEqual([status, body.code], [404, 'not-found'], name);
  }
});

test('an installation without the files says where the description is', async () => {
  const without = testApi(
    docsRoutes(() => '/nowhere'),
    context,
  );
  const { body } = await request(without).get('/v1/docs').expect(404);
  assert.match(body.detail, /\/v1\/openapi\.json/);
});
