// Every call of the API, one by one: it does what it says, answers what its schema says, and is refused to who may not make it. A
// call that is not in the table below fails the test.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, test } from 'node:test';
import request from 'supertest';
import { z } from 'zod';
import {
  deliverSupportBundle,
  type SupportBundle,
  sealSupportBundle,
  signOfflineRequest,
  supportBundleId,
  targetPaths,
} from '../../../bundles/index.ts';
import { openAccess } from '../../../server/access/access.ts';
import { SCOPES } from '../../../server/access/scopes.ts';
import { OF_PRODUCTS } from '../../../server/access/tokens.ts';
import { newRequest } from '../../../server/certificates/request.ts';
import type { Context } from '../../../server/context.ts';
import { encodeFiles } from '../../../server/files.ts';
import { RequestMetrics } from '../../../server/http/observe.ts';
import type { Route } from '../../../server/http/route.ts';
import { vendorRoutes } from '../../../server/http/vendor-api.ts';
import { readTargets, signRoles } from '../../../server/pipeline/role-edits.ts';
import { signersOf } from '../../../server/pipeline/vendor-keys.ts';
import { ROLLOUT_ACTIONS } from '../../../server/rollouts/states.ts';
import { DEFAULT_SUPPORT_LIMITS } from '../../../server/support/limits.ts';
import { parseNetworks } from '../../../server/webhooks/networks.ts';
import { HPKE_SUITE } from '../../../signing/hpke.ts';
import { publicKeyOf, sha256Hex } from '../../../signing/index.ts';
import { startTestService, type TestService } from '../../support/service.ts';
import { graphOf } from '../../support/upgrade-graphs.ts';

/** What the routes are, without a service behind them. */
const ROUTES = vendorRoutes({} as Context, {
  access: openAccess({ publicUrl: 'http://127.0.0.1' }),
  board: { read: async () => undefined, send: () => false },
  jobs: { publish: async () => undefined, wrapForAll: async () => undefined },
  networks: parseNetworks([]),
  queues: { releases: { counts: async () => ({ active: 0, delayed: 0, failed: 0, waiting: 0 }) } },
  requests: new RequestMetrics(),
  support: DEFAULT_SUPPORT_LIMITS,
});
const OBJECT = Buffer.from('an object');
const NONE = '0'.repeat(64);
/** Sealed to nobody. */
const NO_RECEIPT = {
  format: 'rollover-sealed/1',
  suite: HPKE_SUITE,
  key: '0'.repeat(64),
  encapsulated: 'A'.repeat(1494),
  ciphertext: 'AAAA',
};
const HOLDER = '7c1a4c1e-6c2f-4f0e-9c55-1d3f9f3f8a11';

let service: TestService;
/** What the calls are about. */
let subject: { license: string; release: string; manifest: string; site: string };
/** Here already. */
let bundle: string;
/** Not here yet. */
let next: SupportBundle;
/** A token of another organization, for everything that its owner may do. */
let stranger: string;
/** A token of this organization, for another product. */
let limited: string;

before(async () => {
  service = await startTestService({ mtls: true });
  const { manifest } = await service.publish('1.0.0');
  const { id } = await service.issue({ sites: 2 });
  const [release] = await service.api.all<{ id: string }>('/v1/releases');
  subject = { license: id, release: release?.id as string, manifest, site: 'site-0123456789abcdef' };
  await service.query(
    `insert into sites (id, license_id, name, public_key, activated_at, last_seen_at) values ('${subject.site}', '${id}', 'n', '${publicKeyOf(siteKey).keyval.public}', now(), now())`,
  );
  const known = await newBundle();
  await deliverSupportBundle(known, {
    announce: head => service.api.post('/v1/support-bundles', head),
    put: (id, digest, part) => service.api.put(`/v1/support-bundles/${id}/parts/${digest}`, part),
  });
  bundle = supportBundleId(known.head);
  next = await newBundle();
  stranger = await tokenOfAnother();
  limited = (
    await service.api.post<{ token: string }>('/v1/tokens', {
      name: 'limited',
      scopes: SCOPES.filter(scope => OF_PRODUCTS.test(scope)),
      products: ['elsewhere'],
    })
  ).token;
});
after(() => service.close());

const { privateKey: siteKey } = generateKeyPairSync('ed25519');

async function newBundle(): Promise<SupportBundle> {
  const { reports } = await service.api.get<{ reports: string }>('/v1/trust/online-keys');
  const said = { site: subject.site, at: new Date(), agentVersion: '1' };
  return sealSupportBundle(said, [{ name: 'a.json', bytes: Buffer.from('{}') }], siteKey, Buffer.from(reports));
}

async function tokenOfAnother(): Promise<string> {
  const token = `rlv_${'s'.repeat(43)}`;
  const scopes = SCOPES.filter(scope => !scope.startsWith('service:'));
  await service.query(`insert into organizations (id, name, created_at) values ('org-other', 'Other', now())`);
  await service.query(
    `insert into tokens (id, organization, name, hash, scopes, created_at)
     values ('tok-other', 'org-other', 'other', '${sha256Hex(token)}', '{${scopes.join()}}', now())`,
  );
  return token;
}

/** The first of a list, whose calls are about it. */
async function firstOf(list: string, wanted: (item: Listed) => boolean = () => true): Promise<string> {
  const items = await service.api.all<Listed>(list);
  return items.find(wanted)?.id ?? 'unknown';
}

interface Listed {
  readonly id: string;
  readonly name?: string;
  readonly email?: string;
}

const byInvitation = { email: 'invited@example.com', role: 'auditor' };
/** A member, who joins the first time that somebody asks. */
async function member(): Promise<string> {
  const known = await firstOf('/v1/members');
  if (known !== 'unknown') return known;
  const email = 'member@example.com';
  const { token } = await service.api.post<{ token: string }>('/v1/invitations', { email, role: 'auditor' });
  await service.api.post('/v1/invitations/accept', { token, name: 'Member', password: 'several words that fit badly' });
  return firstOf('/v1/members');
}

/** Of a site without a network. */
async function activationRequest(id: string): Promise<string> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const site = 'site-fedcba9876543210';
  const publicKey = publicKeyOf(privateKey).keyval.public;
  const request = { version: 1 as const, license: id, site, name: 'far away', publicKey, nonce: '0'.repeat(32) };
  return signOfflineRequest(request, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
}

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

/** A first graph, signed by the vendor. */
async function signedGraph(): Promise<object> {
  const path = targetPaths.graph('cloud');
  const targets = new Map([[path, Buffer.from(JSON.stringify(graphOf(['1.0.0'])))]]);
  const edit = { role: targetPaths.graphRole('cloud'), paths: [path], version: 0, entries: new Map(), targets };
  const signers = await signersOf(service.keysDirectory, 'targets');
  const { metadata } = await signRoles(await readTargets(service.api), [edit], signers, Date.now());
  return { metadata: encodeFiles(metadata), targets: encodeFiles(targets) };
}

/** How each call is made, in an order in which they all work. */
const CALLS: Readonly<Record<string, () => Made | Promise<Made>>> = {
  'get /healthz': () => ({ path: '/healthz' }),
  'get /v1/openapi.json': () => ({ path: '/v1/openapi.json' }),
  'get /v1/docs': () => ({ path: '/v1/docs' }),
  'get /v1/docs/:file': () => ({ path: '/v1/docs/none', refused: 'not-found' }),
  'post /v1/session': () => ({
    path: '/v1/session',
    body: { email: 'nobody@example.com', password: 'wrong' },
    refused: 'sign-in-refused',
  }),
  'post /v1/session/second-step': () => ({
    path: '/v1/session/second-step',
    body: { ticket: 'none', code: '000000' },
    refused: 'sign-in-refused',
  }),
  'get /v1/session': () => ({ path: '/v1/session' }),
  'put /v1/session': () => ({ path: '/v1/session', body: { organization: 'default' }, refused: 'session-missing' }),
  'delete /v1/session': () => ({ path: '/v1/session' }),
  'delete /v1/sessions': () => ({ path: '/v1/sessions', refused: 'session-missing' }),
  'get /v1/session/oidc/:provider': () => ({ path: '/v1/session/oidc/none', refused: 'not-found' }),
  'get /v1/session/oidc/:provider/callback': () => ({ path: '/v1/session/oidc/none/callback', refused: 'not-found' }),
  'put /v1/account/password': () => ({
    path: '/v1/account/password',
    body: { password: 'wrong', next: 'entirely different words' },
    refused: 'session-missing',
  }),
  'put /v1/account/authenticator': () => ({
    path: '/v1/account/authenticator',
    body: { state: 'enrolling', password: 'wrong' },
    refused: 'session-missing',
  }),
  'put /v1/account/recovery': () => ({
    path: '/v1/account/recovery',
    body: { token: `rlo_${'x'.repeat(43)}`, password: 'entirely different words' },
    refused: 'invitation-invalid',
  }),
  'post /v1/invitations': () => ({ path: '/v1/invitations', body: byInvitation }),
  'get /v1/invitations': () => ({ path: '/v1/invitations' }),
  'post /v1/invitations/accept': () => ({
    path: '/v1/invitations/accept',
    body: { token: `rlo_${'x'.repeat(43)}`, name: 'Nobody', password: 'entirely different words' },
    refused: 'invitation-invalid',
  }),
  'delete /v1/invitations/:id': async () => ({ path: `/v1/invitations/${await firstOf('/v1/invitations')}` }),
  'get /v1/members': () => ({ path: '/v1/members' }),
  'get /v1/members/:id': async () => ({ path: `/v1/members/${await member()}` }),
  'patch /v1/members/:id': async () => ({ path: `/v1/members/${await member()}`, body: { role: 'support' } }),
  'get /v1/people': () => ({ path: '/v1/people' }),
  'patch /v1/people/:id': async () => ({ path: `/v1/people/${await member()}`, body: { disabled: false } }),
  'post /v1/people/:id/recovery': async () => ({ path: `/v1/people/${await member()}/recovery`, body: {} }),
  'delete /v1/members/:id': async () => ({ path: `/v1/members/${await member()}` }),
  'get /v1/organizations': () => ({ path: '/v1/organizations' }),
  'get /v1/organizations/:id': () => ({ path: '/v1/organizations/default' }),
  'post /v1/organizations': () => ({
    path: '/v1/organizations',
    body: { name: 'Third', owner: 'third@example.com' },
  }),
  'patch /v1/organizations/:id': () => ({ path: '/v1/organizations/default', body: { name: 'First' } }),
  'post /v1/organizations/:id/owners': () => ({
    path: '/v1/organizations/default/owners',
    body: { email: 'owner@example.com' },
  }),
  'post /v1/tokens': () => ({ path: '/v1/tokens', body: { name: 'nightly', scopes: ['site:read'] } }),
  'get /v1/tokens': () => ({ path: '/v1/tokens' }),
  'get /v1/tokens/:id': async () => ({
    path: `/v1/tokens/${await firstOf('/v1/tokens', ({ name }) => name === 'nightly')}`,
  }),
  'delete /v1/tokens/:id': async () => ({
    path: `/v1/tokens/${await firstOf('/v1/tokens', ({ name }) => name === 'nightly')}`,
  }),
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
  'get /v1/channels': () => ({ path: '/v1/channels' }),
  'post /v1/drafts': () => ({
    path: '/v1/drafts',
    body: { document: 'e30=', content: NONE, index: NONE, contentKey: 'AA==', sbom: NONE, provenance: NONE },
    refused: 'document-invalid',
  }),
  'get /v1/releases/:id/documents': () => ({ path: `/v1/releases/${subject.release}/documents` }),
  'post /v1/releases/:id/promotions': () => ({
    path: `/v1/releases/${subject.release}/promotions`,
    body: { channel: 'hardened', document: 'e30=', metadata: {}, targets: {} },
    refused: 'document-invalid',
  }),
  'post /v1/releases/:id/yank': () => ({
    path: `/v1/releases/${subject.release}/yank`,
    body: { reason: 'it loses data', advice: 'Upgrade now.' },
  }),
  'post /v1/releases/:id/unyank': () => ({ path: `/v1/releases/${subject.release}/unyank`, body: {} }),
  'post /v1/products/:product/graph': async () => ({ path: '/v1/products/cloud/graph', body: await signedGraph() }),
  'get /v1/products/:product/graph': () => ({ path: '/v1/products/cloud/graph' }),
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
  'post /v1/licenses/:id/rehearsals': () => ({
    path: license('/rehearsals'),
    body: { from: '1.0.0', to: '1.1.0', evidence: 'in the laboratory' },
  }),
  'get /v1/licenses/:id/rehearsals': () => ({ path: license('/rehearsals') }),
  'post /v1/licenses/:id/rekey': () => ({ path: license('/rekey'), body: {} }),
  'patch /v1/licenses/:id': () => ({ path: license(), body: { nodes: 2 } }),
  'get /v1/licenses/:id/history': () => ({ path: license('/history') }),
  'post /v1/licenses/:id/renew': () => ({ path: license('/renew'), body: { expiresAt: '2099-12-31T23:59:59Z' } }),
  'post /v1/licenses/:id/suspend': () => ({ path: license('/suspend'), body: { reason: 'unpaid' } }),
  'post /v1/licenses/:id/resume': () => ({ path: license('/resume'), body: {} }),
  'post /v1/licenses/:id/transfer': () => ({ path: license('/transfer'), body: { customer: 'Bcme' } }),
  'post /v1/licenses/:id/activations': async () => ({
    path: license('/activations'),
    body: { request: await activationRequest(subject.license) },
  }),
  'get /v1/sites': () => ({ path: '/v1/sites' }),
  'get /v1/sites/:id': () => ({ path: `/v1/sites/${subject.site}` }),
  'get /v1/sites/:id/events': () => ({ path: `/v1/sites/${subject.site}/events` }),
  'get /v1/fleet/summary': () => ({ path: '/v1/fleet/summary' }),
  'post /v1/receipts': () => ({ path: '/v1/receipts', body: NO_RECEIPT, refused: 'report-refused' }),
  'post /v1/support-bundles': () => ({ path: '/v1/support-bundles', body: next.head }),
  'put /v1/support-bundles/:bundle/parts/:digest': () => {
    const [part] = next.parts as [Buffer];
    return { path: `/v1/support-bundles/${supportBundleId(next.head)}/parts/${sha256Hex(part)}`, body: part };
  },
  'get /v1/sites/:id/support-bundles': () => ({ path: `/v1/sites/${subject.site}/support-bundles` }),
  'get /v1/sites/:id/support-bundles/:bundle': () => ({ path: `/v1/sites/${subject.site}/support-bundles/${bundle}` }),
  'get /v1/sites/:id/support-bundles/:bundle/content': () => ({
    path: `/v1/sites/${subject.site}/support-bundles/${bundle}/content`,
  }),
  'get /v1/sites/:id/support-bundles/:bundle/key': () => ({
    path: `/v1/sites/${subject.site}/support-bundles/${bundle}/key`,
  }),
  'delete /v1/sites/:id/support-bundles/:bundle': () => ({
    path: `/v1/sites/${subject.site}/support-bundles/${bundle}`,
  }),
  'delete /v1/sites/:id': () => ({ path: `/v1/sites/${subject.site}` }),
  'post /v1/rollouts': () => ({
    path: '/v1/rollouts',
    body: {
      product: 'cloud',
      channel: 'stable',
      version: '2.0.0',
      stages: [{ percent: 10, startsAt: '2026-03-02T10:00:00Z' }],
      budget: { maxFailures: 1 },
    },
  }),
  'get /v1/rollouts': () => ({ path: '/v1/rollouts' }),
  'get /v1/rollouts/:id': async () => ({ path: `/v1/rollouts/${await firstOf('/v1/rollouts')}` }),
  ...Object.fromEntries(
    ROLLOUT_ACTIONS.map(action => [
      `post /v1/rollouts/:id/${action}`,
      async () => ({ path: `/v1/rollouts/${await firstOf('/v1/rollouts')}/${action}`, body: {} }),
    ]),
  ),
  'delete /v1/rollouts/:id': async () => ({ path: `/v1/rollouts/${await firstOf('/v1/rollouts')}` }),
  'get /v1/bulletins/:organization/:product/:channel': () => ({ path: '/v1/bulletins/default/cloud/stable' }),
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

/** Answered before it is a request of the app, and the same for all. */
const IN_FRONT = 'get /v1/bulletins/:organization/:product/:channel';

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

/** Calls whose path names something of the caller's own: two organizations may both have a product of that name. */
const OWN_NAMES = [
  'get /v1/products/:product/content-keys',
  'get /v1/products/:product/graph',
  'post /v1/products/:product/graph',
];

/** With the token of another organization, nothing of this one is there, and nothing of it is told. */
async function requireStrange(route: Route, made: Made): Promise<void> {
  const name = nameOf(route);
  // What they store is theirs, and they may read it.
  if (route.access === 'anybody' || name.startsWith('put /v1/objects')) return;
  const { status, body } = await call(route, made, stranger);
  if (route.access.startsWith('service:')) return assert.equal(status, 403, name);
  if (route.path.includes(':') && !OWN_NAMES.includes(name)) {
    return assert.deepEqual([status, body.code], [404, 'not-found'], name);
  }
  requireUntold(name, body);
}

/** With a token for another product, nothing of this one is there either; objects are sealed, and named by their digest alone. */
async function requireLimits(route: Route, made: Made): Promise<void> {
  const name = nameOf(route);
  if (!OF_PRODUCTS.test(route.access) || name.includes('/v1/objects')) return;
  const { status, body } = await call(route, made, limited);
  if (route.path.includes(':') && !OWN_NAMES.includes(name) && !route.access.startsWith('trust:')) {
    return assert.deepEqual([status, body.code], [404, 'not-found'], name);
  }
  requireUntold(name, body);
}

function requireUntold(name: string, body: unknown): void {
  const told = JSON.stringify(body);
  for (const id of Object.values(subject)) assert.ok(!told.includes(id), `${name} tells ${id}`);
}

for (const [name, make] of Object.entries(CALLS)) {
  test(`${name} answers as it is documented`, async () => {
    const route = ROUTES.find(known => nameOf(known) === name) as Route;
    const { refused, ...made } = await make();
    await requireStrange(route, made);
    await requireLimits(route, made);
    const { status, body, headers } = await call(route, made);
    assert.equal(headers['x-request-id'] !== undefined, name !== IN_FRONT, name);
    if (refused !== undefined) {
      assert.equal(body.code, refused);
      return;
    }
    assert.equal(status, route.status, JSON.stringify(body));
    if (route.answer instanceof z.ZodType) route.answer.parse(body);
  });
}
