// Activation without a network, from the site's request to the site that has taken the response; and everything that may be wrong
// with what is carried between the two.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { requestActivation, takeResponse } from '../../../../agent/update/offline-activation.ts';
import { readSite } from '../../../../agent/update/site.ts';
import { type OfflineRequest, type OfflineResponseFile, signOfflineRequest } from '../../../../bundles/index.ts';
import type { HistoryEntry } from '../../../../server/licenses/listing.ts';
import type { LicenseView } from '../../../../server/licenses/view.ts';
import { responseFile } from '../../../../server/pipeline/response-file.ts';
import { base64url, publicKeyOf } from '../../../../signing/index.ts';
import { rejectsWith } from '../../../support/errors.ts';
import { processes } from '../../../support/processes.ts';
import { startTestService, type TestService } from '../../../support/service.ts';
import { temporary } from '../../../support/temporary.ts';

const NOW = () => new Date();

let service: TestService;
before(async () => {
  service = await startTestService();
});
after(() => service.close());

interface Asking {
  readonly directory: string;
  readonly license: string;
  readonly text: string;
  ask(): Promise<string>;
  /** Takes a response; its parts may be changed before. */
  take(file: OfflineResponseFile): Promise<unknown>;
}

/** A site that has asked, under a license of its own. */
async function asking(t: TestContext, change: object = {}): Promise<Asking> {
  const { id, file } = await service.issue(change);
  const directory = await temporary(t);
  const licenseFile = join(directory, 'license.json');
  await writeFile(licenseFile, JSON.stringify(file));
  const ask = async () => (await requestActivation({ directory, licenseFile, name: 'far away' })).text;
  const take = async (response: OfflineResponseFile) => {
    const path = join(directory, 'response.json');
    await writeFile(path, JSON.stringify(response));
    return takeResponse(directory, path, NOW());
  };
  return { directory, license: id, text: await ask(), ask, take };
}

const post = (license: string, request: string) =>
  service.api.post<{ site: string; response: string }>(`/v1/licenses/${license}/activations`, { request });

async function answer({ license, text }: Pick<Asking, 'license' | 'text'>): Promise<OfflineResponseFile> {
  const { response } = await post(license, text);
  return responseFile(service.api, license, response, NOW());
}

const usage = async (id: string) => (await service.api.get<LicenseView>(`/v1/licenses/${id}`)).usage.sites;

test('a site asks, the vendor answers, the site is activated and has its seat', async t => {
  const asked = await asking(t);
  const response = await answer(asked);
  assert.equal(await usage(asked.license), 1);
  await asked.take(response);
  const site = await readSite(asked.directory);
  assert.deepEqual([site.licenseId, site.connected, site.name], [asked.license, false, 'far away']);
  const [entry] = await service.api.all<HistoryEntry & { subject: string }>(`/v1/audit?subject=${site.site}`);
  assert.deepEqual([entry?.action, entry?.actor.startsWith('token:')], ['site.activate', true], 'the desk did it');
  await rejectsWith('already-activated', () => asked.take(response));
  await rejectsWith('already-activated', () => asked.ask());
});

test('the same request twice takes one seat; asking again is the same site, and either answer is good', async t => {
  const asked = await asking(t);
  const first = await answer(asked);
  const again = await asked.ask();
  const second = await answer({ ...asked, text: again });
  await answer(asked);
  assert.equal(await usage(asked.license), 1);
  assert.notDeepEqual(first, second);
  await asked.take(first);
});

test('a response of another site, license or request is refused', async t => {
  const asked = await asking(t, { sites: 2 });
  const other = await asking(t);
  const error = await rejectsWith('activation-foreign', async () => asked.take(await answer(other)));
  assert.match(error.message, /is for the license/);
  await rejectsWith('activation-foreign', () => post(other.license, asked.text));
  const old = await answer(asked);
  const path = join(asked.directory, 'activation-request.jws');
  const request = JSON.parse(Buffer.from(asked.text.split('.')[1] as string, 'base64url').toString('utf8'));
  const pending = JSON.parse(await readFile(join(asked.directory, 'site.pending.json'), 'utf8'));
  await writeFile(path, await signOfflineRequest({ ...request, nonce: 'f'.repeat(32) }, pending.privateKey));
  assert.match((await rejectsWith('activation-foreign', () => asked.take(old))).message, /answers another request/);
  await asked.take(await answer({ ...asked, text: await readFile(path, 'utf8') }));
});

/** A request that says something else than it was signed for. */
function altered(text: string, change: Partial<OfflineRequest>): string {
  const [head, payload = '', signature] = text.split('.');
  const said = { ...JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')), ...change };
  return [head, base64url(Buffer.from(JSON.stringify(said))), signature].join('.');
}

test('a request that was altered, or signed by another key than it names, is refused and takes no seat', async t => {
  const asked = await asking(t);
  const { privateKey } = generateKeyPairSync('ed25519');
  const publicKey = publicKeyOf(privateKey).keyval.public;
  for (const text of [
    altered(asked.text, { name: 'elsewhere' }),
    altered(asked.text, { site: 'site-0000000000000000' }),
    altered(asked.text, { publicKey }),
    asked.text.slice(0, -4),
    'no request',
    '',
  ]) {
    await rejectsWith('activation-invalid', () => post(asked.license, text));
  }
  assert.equal(await usage(asked.license), 0);
});

test('a site id that is taken is not given to another key', async t => {
  const asked = await asking(t, { sites: 5 });
  const { site } = await post(asked.license, asked.text);
  const { privateKey } = generateKeyPairSync('ed25519');
  const thief = { version: 1 as const, license: asked.license, site, name: 'thief', nonce: '0'.repeat(32) };
  const text = await signOfflineRequest(
    { ...thief, publicKey: publicKeyOf(privateKey).keyval.public },
    privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  );
  await rejectsWith('license-refused', () => post(asked.license, text));
});

test('a response that was altered, or that another vendor signed, activates nothing', async t => {
  const asked = await asking(t);
  const file = await answer(asked);
  const forged = altered(file.response, { name: 'x' });
  await rejectsWith('activation-invalid', () => asked.take({ ...file, response: forged }));
  await rejectsWith('metadata-missing', () => asked.take({ ...file, metadata: {} }));
  await using foreign = await foreignVendor();
  const theirs = await responseFile(foreign.service.api, foreign.license, file.response, NOW());
  await assert.rejects(asked.take({ ...theirs, response: file.response }), { name: 'RolloverError' });
  await rejectsWith('not-activated', () => readSite(asked.directory));
  await asked.take(file);
});

async function foreignVendor() {
  const other = await startTestService();
  const { id } = await other.issue();
  return { service: other, license: id, [Symbol.asyncDispose]: () => other.close() };
}

test('a license without a free seat, suspended or floating is not activated by request either', async t => {
  const full = await asking(t);
  await post(full.license, full.text);
  const { site: _site, ...more } = JSON.parse(Buffer.from(full.text.split('.')[1] as string, 'base64url').toString());
  const { privateKey } = generateKeyPairSync('ed25519');
  const publicKey = publicKeyOf(privateKey).keyval.public;
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const second = await signOfflineRequest({ ...more, site: 'site-1111111111111111', publicKey }, pem);
  await rejectsWith('site-limit', () => post(full.license, second));
  const suspended = await asking(t);
  await service.api.post(`/v1/licenses/${suspended.license}/suspend`, { reason: 'unpaid' });
  await rejectsWith('license-refused', () => post(suspended.license, suspended.text));
  const floating = await asking(t, { floating: true });
  await rejectsWith('license-refused', () => post(floating.license, floating.text));
});

test('a response without a request is refused', async t => {
  const asked = await asking(t);
  const file = await answer(asked);
  const path = join(asked.directory, 'response.json');
  await writeFile(path, JSON.stringify(file));
  await rejectsWith('activation-missing', async () => takeResponse(await temporary(t), path, NOW()));
  await rejectsWith('path-missing', () => takeResponse(asked.directory, join(asked.directory, 'none'), NOW()));
});

test('the command line carries it: request, answer, response', async () => {
  const product = await processes({ ROLLOVER_TOKEN: service.token, ROLLOVER_SERVER: service.url });
  try {
    const issued = await product.json<{ id: string }>([
      ...['license', 'issue', '--customer', 'Acme', '--product', 'cloud', '--nodes', '4', '--overage', 'warn'],
      ...['--at-end', 'grace:30', '--expires', '2098-12-31', '--trial', '--out', 'license.json'],
    ]);
    await product.json([
      'agent',
      'activation-request',
      'license.json',
      'request.jws',
      '--data',
      'site',
      '--name',
      'far',
    ]);
    await product.json(['license', 'activate-offline', issued.id, 'request.jws', 'response.json']);
    const site = await product.json<{ connected: boolean; license: string }>([
      ...['agent', 'activation-response', 'response.json', '--data', 'site'],
    ]);
    assert.deepEqual([site.connected, site.license], [false, issued.id]);
    const shown = await product.json<LicenseView>(['license', 'show', issued.id]);
    assert.deepEqual(shown.usage, { nodes: 0, sites: 1, over: [] });
    assert.deepEqual([shown.type, shown.overage, shown.expiry], ['trial', 'warn', { strategy: 'grace', days: 30 }]);
    await product.json(['license', 'renew', issued.id, '--perpetual']);
    await product.json(['license', 'change', issued.id, '--nodes', '9', '--at-end', 'lock', '--if-revision', '2']);
    await product.json(['license', 'suspend', issued.id, '--reason', 'unpaid']);
    const listed = await product.json<LicenseView[]>([
      'license',
      'list',
      '--status',
      'suspended',
      '--customer',
      'acme',
    ]);
    assert.deepEqual(
      listed.filter(({ id }) => id === issued.id).map(({ nodes, type, expiry }) => [nodes, type, expiry?.strategy]),
      [[9, 'perpetual', 'lock']],
    );
    await product.json(['license', 'resume', issued.id]);
    await product.json(['license', 'transfer', issued.id, '--customer', 'Bcme', '--release-sites']);
    const history = await product.json<HistoryEntry[]>(['license', 'history', issued.id]);
    assert.deepEqual(
      history.map(({ action }) => action.replace('license.', '')),
      ['transfer', 'resume', 'suspend', 'change', 'renew', 'issue'],
    );
    const { code, stderr } = await product.run(['license', 'change', issued.id, '--nodes', '1', '--if-revision', '2']);
    assert.equal(code, 9, stderr);
    assert.match(stderr, /revision is/);
  } finally {
    await product.dispose();
  }
});
