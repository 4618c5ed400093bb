// What lists: the whole command line, as a process, against a service that answers with pages.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { apiClient } from '../../../server/pipeline/api-client.ts';
import { EXIT_CODES } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { type Processes, processes } from '../../support/processes.ts';

const COUNT = 450;
const NAMES =
  'customer product status name email role version channel state health type at actor action subject lastSeenAt from to evidence madeAt receivedAt expiresAt via note'.split(
    ' ',
  );
const TEXTS = Object.fromEntries(NAMES.map(name => [name, 'text']));
/** Has what every list's items have. */
const ITEMS = Array.from({ length: COUNT }, (_, number) => ({
  ...TEXTS,
  id: `item-${number}`,
  bytes: 1,
  channels: ['stable'],
  manifest: '0'.repeat(64),
  scopes: ['site:read'],
  usage: { nodes: 1, sites: 1 },
  sites: { succeeded: 1, failed: 0, pending: 2 },
  details: { from: '1.0.0', to: '1.1.0' },
}));
const LISTS = [
  'license list',
  'license rehearsals lic-1',
  'site list',
  'site events site-1',
  'site support list site-1',
  'release list',
  'rollout list',
  'member list',
  'token list',
  'audit list',
].map(words => words.split(' '));

let server: Server;
let product: Processes;
/** The limits that were asked for. */
let limits: number[] = [];
before(async () => {
  server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://service');
    const limit = Number(searchParams.get('limit'));
    limits.push(limit);
    assert.ok(limit >= 1 && limit <= 200, 'what the service allows');
    const from = Number(searchParams.get('cursor'));
    const next = pathname === '/endless' ? '0' : from + limit < COUNT ? `${from + limit}` : null;
    response.end(JSON.stringify({ items: ITEMS.slice(from, from + limit), next }));
  }).listen(0, '127.0.0.1');
  await new Promise(resolve => server.once('listening', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  product = await processes({ ROLLOVER_SERVER: url, ROLLOVER_TOKEN: `rlv_${'x'.repeat(43)}` });
});
after(async () => {
  await product.dispose();
  await new Promise(resolve => server.close(resolve));
});

async function run(words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await product.run(words);
  assert.equal(code, 0, stderr);
  return stdout;
}

test('a list follows its pages to the end, and says the same as table and as JSON', async () => {
  for (const list of LISTS) {
    const all = ['--limit', '1000'];
    const items = JSON.parse(await run([...list, ...all, '-o', 'json'])) as unknown[];
    assert.deepEqual(items, ITEMS, list.join(' '));
    const rows = (await run([...list, ...all, '-o', 'table'])).trimEnd().split('\n');
    assert.equal(rows.length, 1 + COUNT, list.join(' '));
  }
});

test('without --limit all of it comes, but for the audit log, of which the newest do', async () => {
  for (const list of LISTS) {
    const items = JSON.parse(await run([...list, '--json'])) as unknown[];
    assert.equal(items.length, list[0] === 'audit' ? 50 : COUNT, list.join(' '));
  }
});

test('--limit shows so many, and asks for no more', async () => {
  limits = [];
  assert.equal((JSON.parse(await run(['license', 'list', '--limit', '3', '-ojson'])) as unknown[]).length, 3);
  assert.deepEqual(limits, [3]);
  limits = [];
  assert.equal((JSON.parse(await run(['site', 'list', '--limit', '201', '--output=json'])) as unknown[]).length, 201);
  assert.deepEqual(limits, [200, 1]);
});

test('a form that there is not, two forms, -o where nothing is listed: each a sentence, as JSON for who wants JSON', async () => {
  const fails = async (says: RegExp, ...words: readonly string[]) => {
    const { code, stdout, stderr } = await product.run(words);
    assert.equal(code, EXIT_CODES.usage, stderr);
    assert.equal(stdout, '');
    assert.match(stderr, says);
    return stderr;
  };
  await fails(/Allowed choices are table, json/, 'license', 'list', '-o', 'yaml');
  await fails(/cannot be used with option '--json'/, 'license', 'list', '-o', 'table', '--json');
  await fails(/-o is for commands that list or show; here, `--json`/, 'license', 'revoke', 'lic-1', '-o', 'table');
  await fails(/-o is for commands that list or show/, 'site', 'remove', 'site-1', '--output', 'json');
  await fails(/whole number above zero/, 'license', 'list', '--limit', '0');
  const said = await fails(/command-invalid/, 'license', 'list', '--surprise', '-o', 'json');
  assert.equal(JSON.parse(said).error.code, 'command-invalid');
});

test('a list without an end is given up', async () => {
  const { port } = server.address() as AddressInfo;
  const api = apiClient(`http://127.0.0.1:${port}`, 'token');
  const { message } = await rejectsWith('service-failed', () => api.all('/endless'));
  assert.match(message, /has no end/);
});
