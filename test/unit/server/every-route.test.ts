// Every call of the API, one by one: it does what it says, answers what its schema says, and is refused to who may not make it. A
// call that is not in the table below fails the test.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import request from 'supertest';
import { z } from 'zod';
import { openAccess } from '../../../server/access/access.ts';
import { newRequest } from '../../../server/certificates/request.ts';
import type { Context } from '../../../server/context.ts';
import { RequestMetrics } from '../../../server/http/observe.ts';
import type { Route } from '../../../server/http/route.ts';
import { vendorRoutes } from '../../../server/http/vendor-api.ts';
import { parseNetworks } from '../../../server/webhooks/networks.ts';
import { sha256Hex } from '../../../signing/index.ts';
import { startTestService, type TestService } from '../../support/service.ts';

/** What the routes are, without a service behind them. */
const ROUTES = vendorRoutes({} as Context, {
  access: openAccess({ publicUrl: 'http://127.0.0.1' }),
  jobs: { publish: async () => undefined, wrapForAll: async () => undefined },
  networks: parseNetworks([]),
  queues: { releases: { counts: async () => ({ active: 0, delayed: 0, failed: 0, waiting: 0 }) } },
  requests: new RequestMetrics(),
});
const OBJECT = Buffer.from('an object');
const HOLDER = '7c1a4c1e-6c2f-4f0e-9c55-1d3f9f3f8a11';

let service: TestService;
/** What the calls are about. */
let subject: { license: string; release: string; manifest: string; site: string };

before(async () => {
  service = await startTestService({ mtls: true });
  const { manifest } = await service.publish('1.0.0');
  const { id } = await service.issue();
  const [release] = await service.api.all<{ id: string }>('/v1/releases');
  subject = { license: id, release: release?.id as string, manifest, site: 'site-0123456789abcdef' };
  await service.query(
    `insert into sites (id, license_id, name, public_key, activated_at, last_seen_at) values ('${subject.site}', '${id}', 'n', '', now(), now())`,
  );
});
after(() => service.close());

interface Made {
  readonly path: string;
  readonly body?: object | Buffer;
  /** What a call that is refused for good reason is answered: some have no other effect that a test could repeat. */
  readonly refused?: string;
}

const license = (rest = '') => `/v1/licenses/${subject.license}${rest}`;
const order = { customer: 'Acme', product: 'cloud', channels: ['stable'], nodes: 1 };

/** The first webhook, once there is one. */
async function webhook(rest = '', body?: object): Promise<Made> {
  const [first] = await service.api.all<{ id: string }>('/v1/webhooks');
  return { path: `/v1/webhooks/${first?.id ?? 'none'}${rest}`, ...(body ? { body } : {}) };
}

/** How each call is made, in an order in which they all work. */
const CALLS: Readonly<Record<string, () => Made | Promise<Made>>> = {
  'get /healthz': () => ({ path: '/healthz' }),
  'get /v1/openapi.json': () => ({ path: '/v1/openapi.json' }),
  'get /v1/trust/online-keys': () => ({ path: '/v1/trust/online-keys' }),
  'post /v1/trust': () => ({
    path: '/v1/trust',
    body: { root: 'AA==', targets: 'AA==', issuers: 'AA==', director: 'AA==' },
    refused: 'trust-exists',
  }),
  'post /v1/trust/next-online-keys': () => ({ path: '/v1/trust/next-online-keys', body: { keys: ['snapshot'] } }),
  'post /v1/trust/publications': () => ({ path: '/v1/trust/publications', body: { metadata: {} } }),
  'get /v1/roles/:role': () => ({ path: '/v1/roles/root' }),
  'get /v1/metadata/:name': () => ({ path: '/v1/metadata/1.root.json' }),
  'put /v1/objects/:digest': () => ({ path: `/v1/objects/${sha256Hex(OBJECT)}`, body: OBJECT }),
  'get /v1/objects/:digest': () => ({ path: `/v1/objects/${sha256Hex(OBJECT)}` }),
  'post /v1/objects/missing': () => ({
    path: '/v1/objects/missing',
    body: { holder: HOLDER, digests: ['0'.repeat(64)] },
  }),
  'post /v1/garbage': () => ({ path: '/v1/garbage', body: { dryRun: true } }),
  'get /v1/products/:product/content-keys': () => ({ path: '/v1/products/cloud/content-keys' }),
  'get /v1/manifests/:digest/segments': () => ({ path: `/v1/manifests/${subject.manifest}/segments` }),
  'get /v1/manifests/:digest/wraps': () => ({ path: `/v1/manifests/${subject.manifest}/wraps` }),
  'post /v1/manifests/:digest/wraps': () => ({ path: `/v1/manifests/${subject.manifest}/wraps`, body: {} }),
  'get /v1/releases': () => ({ path: '/v1/releases' }),
  'get /v1/releases/:id': () => ({ path: `/v1/releases/${subject.release}` }),
  'post /v1/releases': () => ({
    path: '/v1/releases',
    body: {
      channel: 'stable',
      document: 'e30=',
      content: '0'.repeat(64),
      index: '0'.repeat(64),
      contentKey: 'AA==',
      metadata: {},
      targets: {},
    },
    refused: 'document-invalid',
  }),
  'get /v1/licenses': () => ({ path: '/v1/licenses' }),
  'get /v1/licenses/:id': () => ({ path: license() }),
  'post /v1/licenses': () => ({ path: '/v1/licenses', body: order }),
  'post /v1/licenses/:id/certificates': async () => ({
    path: license('/certificates'),
    body: { request: (await newRequest()).request },
  }),
  'get /v1/licenses/:id/certificates': () => ({ path: license('/certificates') }),
  'post /v1/certificates/:serial/revoke': async () => {
    const { certificates } = await service.api.get<{ certificates: { serial: string }[] }>(license('/certificates'));
    return { path: `/v1/certificates/${certificates[0]?.serial ?? '0'.repeat(32)}/revoke`, body: {} };
  },
  'get /v1/licenses/:id/wraps/:manifest': () => ({ path: license(`/wraps/${subject.manifest}`) }),
  'get /v1/licenses/:id/document': () => ({ path: license('/document') }),
  'get /v1/licenses/:id/director': () => ({ path: license('/director') }),
  'post /v1/licenses/:id/rekey': () => ({ path: license('/rekey'), body: {} }),
  'get /v1/sites': () => ({ path: '/v1/sites' }),
  'delete /v1/sites/:id': () => ({ path: `/v1/sites/${subject.site}` }),
  'get /livez': () => ({ path: '/livez' }),
  'get /readyz': () => ({ path: '/readyz' }),
  'get /metrics': () => ({ path: '/metrics' }),
  'get /v1/audit': () => ({ path: '/v1/audit' }),
  'get /v1/audit/export': () => ({ path: '/v1/audit/export' }),
  'get /v1/audit/head': () => ({ path: '/v1/audit/head' }),
  'post /v1/webhooks': () => ({ path: '/v1/webhooks', body: { url: 'https://example.com/hook', events: ['*'] } }),
  'get /v1/webhooks': () => ({ path: '/v1/webhooks' }),
  'get /v1/webhooks/:id': () => webhook(),
  'patch /v1/webhooks/:id': () => webhook('', { enabled: true }),
  'post /v1/webhooks/:id/rotate-secret': () => webhook('/rotate-secret', {}),
  'post /v1/webhooks/:id/ping': () => webhook('/ping', {}),
  'get /v1/webhooks/:id/deliveries': () => webhook('/deliveries'),
  'post /v1/webhooks/:id/deliveries/:delivery/replay': async () => {
    const { path } = await webhook('/deliveries');
    const [delivery] = path.includes('none') ? [] : await service.api.all<{ id: string }>(path);
    return { path: `${path}/${delivery?.id ?? 'none'}/replay`, body: {} };
  },
  'post /v1/webhooks/:id/replay': () => webhook('/replay', { since: '2026-01-01T00:00:00Z' }),
  'delete /v1/webhooks/:id': () => webhook(),
  'post /v1/licenses/:id/revoke': () => ({ path: license('/revoke'), body: {} }),
};

const nameOf = ({ method, path }: Route) => `${method} ${path}`;

function call({ method }: Route, { path, body }: Made, token: string | undefined = service.token) {
  const made = request(service.url)[method](path);
  if (token !== '') made.set('authorization', `Bearer ${token}`);
  if (Buffer.isBuffer(body)) made.set('content-type', 'application/octet-stream');
  return body === undefined ? made : made.send(body);
}

test('the table has every call of the OpenAPI document, and no other', async () => {
  const { body } = await request(service.url).get('/v1/openapi.json').expect(200);
  const documented = Object.entries(body.paths as Record<string, object>).flatMap(([path, operations]) =>
    Object.keys(operations).map(method => `${method} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
  );
  assert.deepEqual(documented.toSorted(), Object.keys(CALLS).toSorted());
  assert.deepEqual(ROUTES.map(nameOf).toSorted(), documented.toSorted());
});

test('without a token, or with one that nobody gave, every call is refused', async () => {
  for (const route of ROUTES.filter(({ access }) => access !== 'anybody')) {
    const made = await (CALLS[nameOf(route)] as () => Made)();
    for (const token of ['', `rlv_${'x'.repeat(43)}`, 'Bearer', '../../etc']) {
      const { status, body } = await call(route, made, token);
      assert.deepEqual([status, body.code], [401, 'unauthorized'], nameOf(route));
    }
  }
});

test('a body or a query with more than the call knows is refused by name', async () => {
  for (const route of ROUTES) {
    const made = await (CALLS[nameOf(route)] as () => Made)();
    if (route.query) {
      const { status, body } = await call(route, { ...made, path: `${made.path}?surprise=1` });
      assert.deepEqual([status, body.code], [400, 'request-invalid'], nameOf(route));
      assert.match(body.detail, /surprise/);
    }
    if (route.body instanceof z.ZodType) {
      const { status, body } = await call(route, { ...made, body: { ...made.body, surprise: 1 } });
      assert.deepEqual([status, body.code], [400, 'request-invalid'], nameOf(route));
      assert.match(body.detail, /surprise/);
    }
  }
});

for (const [name, make] of Object.entries(CALLS)) {
  test(`${name} answers as it is documented`, async () => {
    const route = ROUTES.find(known => nameOf(known) === name) as Route;
    const { refused, ...made } = await make();
    const { status, body, headers } = await call(route, made);
    assert.ok(headers['x-request-id']);
    if (refused !== undefined) {
      assert.equal(body.code, refused);
      return;
    }
    assert.equal(status, route.status, JSON.stringify(body));
    if (route.answer instanceof z.ZodType) route.answer.parse(body);
  });
}
