// The vendor's API over HTTP, on a real PostgreSQL: what it does, and what it answers to what it must not do.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import request from 'supertest';
import type { ApiClient } from '../../../server/pipeline/api-client.ts';
import type { ReleaseView } from '../../../server/releases/releases.ts';
import { sha256Hex } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { startTestService, type TestService } from '../../support/service.ts';

let service: TestService;
before(async () => {
  service = await startTestService();
});
after(() => service.close());

const DIGEST = '0'.repeat(64);

const call = (method: 'get' | 'post' | 'put', path: string) =>
  request(service.url)[method](path).set('authorization', `Bearer ${service.token}`);

test('without a token, nothing but the health check answers', async () => {
  const { headers } = await request(service.url).get('/healthz').expect(200, { status: 'ok' });
  assert.equal(headers['link'], '</readyz>; rel="successor-version"', 'it is deprecated');
  for (const path of [
    '/v1/releases',
    '/v1/licenses',
    '/v1/sites',
    '/v1/trust/online-keys',
    `/v1/objects/${'0'.repeat(64)}`,
  ]) {
    const { body } = await request(service.url)
      .get(path)
      .expect(401)
      .expect('content-type', /problem\+json/);
    assert.equal(body.code, 'unauthorized');
  }
  await request(service.url)
    .get('/v1/licenses')
    .set('authorization', `Bearer rlv_${'x'.repeat(43)}`)
    .expect(401);
});

test('every refusal is a problem document with a code and a request id', async () => {
  const { body, headers } = await call('get', '/v1/nothing').expect(404);
  assert.equal(body.code, 'not-found');
  assert.equal(body.requestId, headers['x-request-id']);
  const bad = await call('post', '/v1/licenses').send({ customer: 1, surprise: true }).expect(400);
  assert.equal(bad.body.code, 'request-invalid');
  assert.match(bad.body.detail, /customer/);
  const broken = await call('post', '/v1/licenses').set('content-type', 'application/json').send('{"a":').expect(400);
  assert.equal(broken.body.code, 'request-invalid');
});

test('an object is stored under its digest only, and comes back byte for byte', async () => {
  const bytes = Buffer.from('an object');
  const digest = sha256Hex(bytes);
  const put = (name: string) =>
    call('put', `/v1/objects/${name}`).set('content-type', 'application/octet-stream').send(bytes);
  const { body } = await put('0'.repeat(64)).expect(422);
  assert.equal(body.code, 'object-corrupt');
  await put(digest).expect(204);
  await put(digest).expect(204);
  const answer = await call('get', `/v1/objects/${digest}`).expect(200).responseType('blob');
  assert.deepEqual(answer.body, bytes);
  await call('get', '/v1/objects/..%2f..%2fetc%2fpasswd').expect(400);
  await call('get', `/v1/objects/${'1'.repeat(64)}`).expect(404);
});

test('the root of trust is set up once', async () => {
  const files = { root: 'AA==', targets: 'AA==', issuers: 'AA==', director: 'AA==' };
  const { body } = await call('post', '/v1/trust').send(files).expect(409);
  assert.equal(body.code, 'trust-exists');
});

test('a release is published once; the same content again is fine, other content is not', async () => {
  const first = await service.publish('1.0.0');
  assert.equal(first.counter, 1);
  assert.equal((await service.publish('1.0.0')).newBytes, 0);
  await rejectsWith('release-exists', () => service.publish('1.0.0', { initrdBytes: 2_000_001 }));
  const second = await service.publish('1.1.0');
  assert.equal(second.counter, 2);
  assert.ok(second.newBytes < first.newBytes / 4, `${second.newBytes} of ${first.newBytes}`);
  const { body } = await call('get', '/v1/releases?product=cloud').expect(200);
  assert.deepEqual(
    body.items.map((r: { version: string; state: string }) => [r.version, r.state]),
    [
      ['1.1.0', 'published'],
      ['1.0.0', 'published'],
    ],
  );
});

test('a release whose objects are missing is not published, and its pipeline is told why', async () => {
  const { body } = await call('post', '/v1/releases')
    .send({
      channel: 'stable',
      document: 'e30=',
      content: DIGEST,
      index: DIGEST,
      contentKey: 'AA==',
      metadata: {},
      targets: {},
    })
    .expect(422);
  assert.equal(body.code, 'document-invalid');
});

test('a channel of its own gets a delegation of its own', async () => {
  await service.publish('2.0.0', { channel: 'edge' });
  const { body } = await call('get', '/v1/roles/targets').expect(200);
  const names = body.signed.delegations.roles.map((role: { name: string }) => role.name);
  assert.deepEqual(names.sort(), ['cloud.edge', 'cloud.stable']);
});

test('a wrap is made for an entitled, active license, and for no other', async () => {
  const stable = await service.publish('1.2.0');
  const edge = await service.publish('2.1.0', { channel: 'edge' });
  const { id } = await service.issue();
  const wrap = (manifest: string) => call('get', `/v1/licenses/${id}/wraps/${manifest}`);
  const { body } = await wrap(stable.manifest).expect(200);
  assert.equal(body.license, id);
  assert.deepEqual((await wrap(stable.manifest).expect(200)).body, body, 'it is kept, not made anew');
  assert.equal((await wrap(edge.manifest).expect(403)).body.code, 'license-refused');
  assert.equal((await wrap('0'.repeat(64)).expect(404)).body.code, 'not-found');
  await call('post', `/v1/licenses/${id}/revoke`).expect(204);
  assert.equal((await wrap(stable.manifest).expect(403)).body.code, 'license-refused');
  await call('post', '/v1/licenses/lic-unknown/revoke').expect(404);
});

test('a license that has expired opens what was published while it was valid, and nothing newer', async () => {
  const old = await service.publish('1.3.0');
  const { id } = await service.issue({ expiresAt: new Date(Date.now() + 1500).toISOString() });
  const wrap = (manifest: string) => call('get', `/v1/licenses/${id}/wraps/${manifest}`);
  await wrap(old.manifest).expect(200);
  await new Promise(resolve => setTimeout(resolve, 1600));
  const fresh = await service.publish('1.4.0');
  assert.equal((await wrap(fresh.manifest).expect(403)).body.code, 'license-refused');
  await wrap(old.manifest).expect(200);
});

test('a release that carries another channel’s role is refused, and that channel stays as it was', async () => {
  const { body: before } = await call('get', '/v1/roles/cloud.edge').expect(200);
  const api = { ...service.api };
  const post = api.post.bind(api);
  api.post = async <T>(path: string, body: unknown) => {
    if (path !== '/v1/releases') return post<T>(path, body);
    const { metadata } = body as { metadata: Record<string, string> };
    const foreign = Buffer.from(JSON.stringify({ ...before, signatures: [] })).toString('base64');
    return post<T>(path, { ...(body as object), metadata: { ...metadata, 'cloud.edge': foreign } });
  };
  const error = await rejectsWith('request-invalid', () => service.publish('1.5.0', {}, api));
  assert.match(error.message, /changes the role cloud\.edge/);
  assert.deepEqual((await call('get', '/v1/roles/cloud.edge').expect(200)).body, before);
});

test('the same version submitted twice at once: one of them is published, and what is published can be opened', async () => {
  const { id } = await service.issue();
  const together = atOnce(2);
  const api = { ...service.api };
  const post = api.post.bind(api);
  api.post = async <T>(path: string, body: unknown) => {
    if (path === '/v1/releases') await together();
    return post<T>(path, body);
  };
  const attempts = [
    service.publish('3.0.0', { initrdBytes: 900_000 }, api),
    service.publish('3.0.0', { initrdBytes: 901_000, directory: 'other' }, api),
  ];
  const outcomes = await Promise.allSettled(attempts);
  const won = outcomes.filter(outcome => outcome.status === 'fulfilled').map(outcome => outcome.value.manifest);
  assert.ok(won.length >= 1, JSON.stringify(outcomes));
  const { body } = await call('get', '/v1/releases?version=3.0.0').expect(200);
  assert.equal(body.items[0].state, 'published');
  assert.ok(won.includes(body.items[0].manifest));
  await call('get', `/v1/licenses/${id}/wraps/${body.items[0].manifest}`).expect(200);
});

test('ranges of an object are served, and a missing one is not cached for ever', async () => {
  const bytes = Buffer.from('0123456789');
  const path = `/v1/objects/${sha256Hex(bytes)}`;
  await call('put', path).set('content-type', 'application/octet-stream').send(bytes).expect(204);
  const part = await call('get', path).set('range', 'bytes=2-4').expect(206).responseType('blob');
  assert.equal(part.body.toString(), '234');
  assert.equal(part.headers['content-range'], 'bytes 2-4/10');
  await call('get', path).set('range', 'bytes=20-').expect(416);
  const missing = await call('get', `/v1/objects/${'2'.repeat(64)}`).expect(404);
  assert.equal(missing.headers['cache-control'], undefined);
});

test('names with control characters are refused: they end on somebody’s terminal', async () => {
  const order = { customer: 'Acme\u001b[2J', product: 'cloud', channels: ['stable'], nodes: 1 };
  assert.equal((await call('post', '/v1/licenses').send(order).expect(400)).body.code, 'request-invalid');
});

test('the entitlement secret is in the license file and nowhere in what the service lists', async () => {
  const { file } = await service.issue();
  const { text } = await call('get', '/v1/licenses').expect(200);
  assert.ok(!text.includes(file.entitlementSecret));
});

/** A gate that opens when so many stand before it. */
function atOnce(count: number): () => Promise<void> {
  const gate = Promise.withResolvers<void>();
  let waiting = 0;
  return () => {
    waiting += 1;
    if (waiting === count) gate.resolve();
    return gate.promise;
  };
}

test('a channel only goes forward, in the order of versions', async () => {
  await service.publish('2.0.0-rc.2', { channel: 'forward' });
  for (const older of ['1.9.0', '2.0.0-rc.1']) {
    const { message } = await rejectsWith('version-older', () => service.publish(older, { channel: 'forward' }));
    assert.match(message, /has 2\.0\.0-rc\.2 already/);
  }
  await service.publish('2.0.0', { channel: 'forward' });
});

test('somebody else publishes in between: it is signed again on top of theirs', async () => {
  let others = 0;
  const interrupted: ApiClient = {
    ...service.api,
    async post<T>(path: string, body: unknown) {
      if (path === '/v1/releases' && others === 0) await service.publish('1.0.0', { channel: `other-${++others}` });
      return service.api.post<T>(path, body);
    },
  };
  const { address } = await service.publish('1.0.0', { channel: 'meanwhile' }, interrupted);
  assert.equal(others, 1);
  const releases = await service.api.all<ReleaseView>('/v1/releases?channel=meanwhile');
  assert.deepEqual(
    releases.map(({ state }) => [address, state]),
    [['cloud/meanwhile/1.0.0', 'published']],
  );
});
