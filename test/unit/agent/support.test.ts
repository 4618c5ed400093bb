// What leaves a site in a support bundle: enough to help, bounded, and none of its secrets, wherever somebody has written them.
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { embeddedCoordination } from '../../../agent/coordination/embedded.ts';
import { agentError } from '../../../agent/errors.ts';
import { sendBundle, writeBundle, writePlain } from '../../../agent/support/bundle.ts';
import { supportContents } from '../../../agent/support/contents.ts';
import type { SupportSource } from '../../../agent/support/facts.ts';
import { redactor } from '../../../agent/support/redact.ts';
import { type Site, writePendingSite, writeSite } from '../../../agent/update/site.ts';
import { openSupportHead, openSupportParts, parseSupportFile } from '../../../bundles/index.ts';
import {
  base64url,
  fromBase64url,
  messageKeySet,
  pskOf,
  publicKeyOf,
  writeFileAtomic,
} from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { temporary } from '../../support/temporary.ts';

const NOW = new Date('2026-11-24T12:00:00Z');
const VENDOR = randomBytes(32);

function newTestSite(): Site {
  const claims = { id: 'lic-1', product: 'cloud', channels: ['stable'], limits: { nodes: 10, sites: 1 } };
  const { privateKey } = generateKeyPairSync('ed25519');
  const { privateKey: tls } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = (key: typeof tls) => key.export({ type: 'pkcs8', format: 'pem' }).toString();
  return {
    format: 'rollover-site/1',
    site: `site-${randomBytes(8).toString('hex')}`,
    name: 'north',
    connected: false,
    license: ['eyJhbGciOiJFZERTQSJ9', base64url(Buffer.from(JSON.stringify(claims))), 'c2lnbmF0dXJl'].join('.'),
    licenseId: 'lic-1',
    product: 'cloud',
    channel: 'stable',
    hardware: 'x86_64',
    entitlementSecret: base64url(randomBytes(32)),
    feed: { host: '127.0.0.1', port: 1 },
    certificate: { port: 2, certificate: 'none', privateKey: pem(tls), authorities: ['none'] },
    trustAnchor: '{}',
    privateKey: pem(privateKey),
    publicKey: publicKeyOf(privateKey).keyval.public,
  };
}

interface Place {
  readonly site: Site;
  readonly source: SupportSource;
  readonly token: string;
}

async function place(t: TestContext, change: Partial<SupportSource> = {}): Promise<Place> {
  const directory = await temporary(t);
  const site = newTestSite();
  await writeSite(directory, site);
  const token = randomBytes(24).toString('base64url');
  await writeFile(join(directory, 'console.token'), `${token}\n`);
  await writeFileAtomic(join(directory, 'trust', 'report-keys.json'), await messageKeySet(VENDOR));
  const state = async () => ({ site: { id: site.site }, warnings: ['The certificate ends soon.'] });
  return { site, token, source: { directory, site, agentVersion: '7', now: NOW, state, ...change } };
}

/** The forms in which people, programs and logs write the secrets of a site. */
function formsOf({ entitlementSecret, privateKey, certificate }: Site, token: string): readonly string[] {
  const bytes = fromBase64url(entitlementSecret);
  const ders = [privateKey, certificate?.privateKey ?? ''].map(pem =>
    Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64'),
  );
  const seed = (ders[0] as Buffer).subarray(-32);
  const raw = [bytes, pskOf(bytes), seed, ...ders].flatMap(secret => [
    secret.toString('hex'),
    secret.toString('hex').toUpperCase(),
    secret.toString('base64'),
    secret.toString('base64url'),
    encodeURIComponent(secret.toString('base64')),
  ]);
  const lines = [privateKey, certificate?.privateKey ?? ''].flatMap(pem =>
    pem.split('\n').filter(l => /^\w{16}/.test(l)),
  );
  return [...raw, ...lines, token, entitlementSecret];
}

const FOREIGN = {
  bearer: 'Authorization: Bearer abcdefgh12345678',
  basic: 'authorization: Basic dXNlcjpodW50ZXIy',
  password: 'password=hunter2-plain',
  spaced: '"passphrase": "hunter2 with spaces"',
  escaped: '{\\"token\\":\\"hunter2-escaped\\"}',
  flag: '--api-key hunter2-flag',
  url: 'https://ada:hunter2-url@mirror.example/x',
  api: `rlv_${'h'.repeat(43)}`,
  cloud: 'AKIAHUNTERHUNTER2222',
  jws: 'eyJhdW50ZXIyIjoxfQ.eyJodW50ZXIyIjoyfQ.aHVudGVyMg',
  psk: 'psk: deadbeefhunter2',
} as const;
const FOREIGN_SECRETS = [
  'abcdefgh12345678',
  'dXNlcjpodW50ZXIy',
  'hunter2',
  'with spaces',
  'h'.repeat(43),
  'AKIAHUNTER',
  'eyJhdW50ZXIyIjoxfQ',
  'aHVudGVyMg',
];

/** The files as the vendor sees them, who alone can. */
async function opened(path: string): Promise<ReadonlyMap<string, string>> {
  const { head, parts } = parseSupportFile(await readFile(path));
  const { unverified } = await openSupportHead(head, VENDOR);
  const files = await openSupportParts(unverified, parts);
  return new Map(files.map(({ name, bytes }) => [name, bytes.toString('utf8')]));
}

test('secrets are planted in every place that is looked at, in every form: none is in the archive', async t => {
  const { site, token, source } = await place(t);
  const { directory } = source;
  const pending = newTestSite();
  await writePendingSite(directory, pending);
  const secrets = [...formsOf(site, token), ...formsOf(pending, token)];
  const foreign = Object.values(FOREIGN);
  const pems = [site.privateKey, pending.certificate?.privateKey ?? ''];
  const planted = [...secrets, ...foreign, ...pems];
  const sentences = planted.map((secret, number) => `before-${number} ${secret} after-${number}`);

  const coordination = await embeddedCoordination(directory);
  const leader = await coordination.campaign();
  await leader.commit([
    {
      op: 'put',
      key: 'rollover',
      value: { reason: sentences.join(' '), password: 'hunter2', nested: [{ sentences }] },
    },
    ...sentences.map((text, at) => ({ op: 'put' as const, key: `journal/${1000 + at}`, value: { at, text } })),
  ]);
  await coordination.close();
  for (const name of ['settings.json', 'outlook.json', 'situation.json', join('trust', 'knowledge.json')]) {
    const value = { sentences, labels: Object.fromEntries(sentences.map(text => [text, 'name'])), apiKey: 'hunter2' };
    await writeFileAtomic(join(directory, name), JSON.stringify(value));
  }
  const entries = sentences.map(msg => JSON.stringify({ level: 30, msg, headers: { cookie: 'hunter2' } }));
  const cut = pems.map(pem => pem.slice(pem.indexOf('\n') + 1)).join('\n');
  await writeFile(join(directory, 'agent.log'), [cut, ...sentences, ...entries, ...pems].join('\n'));
  const state = async () => ({
    warnings: sentences,
    update: { problem: { message: sentences.join('\n') } },
    token: 'x'.repeat(9),
  });

  // Short secrets become longer by being taken out.
  const note = `${site.entitlementSecret} and ${'psk=hunter2 '.repeat(17)}`.trim();
  const contents = await supportContents({ ...source, state }, note);
  const path = join(directory, 'bundle');
  await writeBundle(path, source, contents);
  const files = await opened(path);
  const { head } = parseSupportFile(await readFile(path));
  const said = JSON.stringify((await openSupportHead(head, VENDOR)).unverified);

  for (const [name, text] of [...files, ['the head', said] as const]) {
    for (const secret of [...secrets, ...FOREIGN_SECRETS]) {
      assert.ok(!text.toLowerCase().includes(secret.toLowerCase()), `${name} has ${secret}`);
    }
    assert.doesNotMatch(text, /BEGIN [A-Z ]*PRIVATE/, name);
  }
  for (const name of ['console.json', 'rollover.json', 'journal.jsonl', 'updates.json', 'agent.log']) {
    const text = files.get(name) ?? '';
    for (const number of sentences.keys()) assert.match(text, new RegExp(`before-${number}\\b`), `${name} ${number}`);
    assert.ok((contents.listed.find(entry => entry.name === name)?.removed ?? 0) >= planted.length, name);
  }
  for (const [name, text] of files) if (name.endsWith('.json')) JSON.parse(text);
});

test('what helps is left as it is: digests, versions, node names, times and sentences', () => {
  const { json, log } = redactor(['a secret that is long enough']);
  const words = {
    manifest: 'a'.repeat(32) + '0'.repeat(32),
    version: '5.2.0-rc.1+build.7',
    node: 'rack-12-node-0042.example.com',
    at: '2026-11-24T12:00:00.000Z',
    site: 'site-0123456789abcdef',
    text: 'Node n1 has failed: it did not come back within 900 s (/var/lib/rollover/agent/releases/5.2.0-0123456789abcdef).',
    digest: `The image has the digest ${'b'.repeat(64)}, not a basic one.`,
    address: 'http://127.0.0.1:8490/inventory?node=n1',
    counts: [1, 2, null, true],
  };
  assert.deepEqual(JSON.parse(json(words).text), words);
  const lines = [JSON.stringify(words), words.text, ''].join('\n');
  assert.deepEqual(log(lines), { text: lines, removed: 0 });
});

test('what is listed is what is in it, byte for byte, sealed and in the open', async t => {
  const { source } = await place(t);
  await writeFile(join(source.directory, 'agent.log'), 'one\ntwo\n');
  const contents = await supportContents(source, 'ticket 4711');
  const [sealed, plain] = [join(source.directory, 'bundle'), join(source.directory, 'plain')];
  const { bytes } = await writeBundle(sealed, source, contents);
  await writePlain(plain, contents.files);
  const files = await opened(sealed);
  assert.deepEqual((await readdir(plain)).sort(), [...files.keys()].sort());
  for (const [name, text] of files) assert.equal(await readFile(join(plain, name), 'utf8'), text);
  assert.deepEqual(
    contents.listed.map(({ name, bytes: size }) => [name, size]),
    [...files].map(([name, text]) => [name, Buffer.byteLength(text)]),
  );
  const list = JSON.parse(files.get('contents.json') ?? '');
  assert.deepEqual([list.note, list.files], ['ticket 4711', contents.listed.slice(1)]);
  assert.equal(files.get('agent.log'), 'one\ntwo\n');
  const modes = await Promise.all(
    [sealed, plain, join(plain, 'site.json')].map(async path => (await stat(path)).mode & 0o777),
  );
  assert.deepEqual(modes, [0o600, 0o700, 0o600]);
  assert.equal((await stat(sealed)).size, bytes);
});

test('nothing is overwritten, and nothing is sealed to nobody', async t => {
  const { source } = await place(t);
  const contents = await supportContents(source);
  const path = join(source.directory, 'site.json');
  await rejectsWith('support-unwritable', () => writeBundle(path, source, contents));
  await rejectsWith('support-unwritable', () => writePlain(source.directory, contents.files));
  await writeFile(join(source.directory, 'trust', 'report-keys.json'), '');
  await mkdir(join(source.directory, 'new'));
  const keyless = { ...source, directory: join(source.directory, 'new') };
  await rejectsWith('report-key-missing', () => writeBundle(join(keyless.directory, 'b'), keyless, contents));
});

test('a site that is broken still says what it can: no agent, a damaged store, damaged files, no trust', async t => {
  const state = async () => {
    throw agentError('agent-unreachable', 'The agent on port 8480 does not answer.');
  };
  const { source, site } = await place(t, { state });
  await writeFile(join(source.directory, 'coordination.log'), 'no line of ours\n');
  await writeFile(join(source.directory, 'outlook.json'), '{"half');
  await writeFile(join(source.directory, 'trust', 'trust.json'), '{}');
  const { files } = await supportContents(source);
  const read = (name: string) => JSON.parse(files.find(file => file.name === name)?.bytes.toString('utf8') ?? '');
  assert.match(read('console.json').unavailable, /does not answer/);
  assert.match(read('rollover.json').unavailable, /damaged/);
  assert.match(read('updates.json')['outlook.json'].unavailable, /JSON/);
  assert.match(read('trust.json').unavailable, /damaged/);
  assert.deepEqual([read('license.json').limits.nodes, read('site.json').site], [10, site.site]);
  assert.ok(read('environment.json').memoryBytes.total > 0);
  assert.ok(read('files.json').some(({ name }: { name: string }) => name === 'site.json'));
});

test('an agent that writes while it is looked at loses nothing, and what it was writing is not waited for', async t => {
  const { source } = await place(t);
  const coordination = await embeddedCoordination(source.directory);
  t.after(() => coordination.close());
  const leader = await coordination.campaign();
  await leader.commit([{ op: 'put', key: 'nodes/n1', value: { state: 'draining' } }]);
  const path = join(source.directory, 'coordination.log');
  await writeFile(path, '01234567 {"epo', { flag: 'a' });
  const before = await readFile(path);
  const { files } = await supportContents(source);
  const rollover = files.find(({ name }) => name === 'rollover.json')?.bytes.toString('utf8') ?? '';
  assert.deepEqual(JSON.parse(rollover), { 'nodes/n1': { state: 'draining' } });
  assert.deepEqual(await readFile(path), before);
});

test('a long log ends where it ended, begins with a whole line, and is bounded; one too large leaves the others in', async t => {
  const { source } = await place(t, { state: async () => ({ nodes: Array(400_000).fill('a node with a name') }) });
  const line = (number: number) => `line ${number} ${'of many words '.repeat(20)}`;
  const lines = Array.from({ length: 40_000 }, (_, number) => line(number));
  const log = join(source.directory, 'other.log');
  await writeFile(log, lines.join('\n'));
  const { files, listed } = await supportContents({ ...source, log });
  const text = files.find(({ name }) => name === 'agent.log')?.bytes.toString('utf8') ?? '';
  assert.ok(text.length <= 4 * 1024 * 1024 && text.length > 4 * 1024 * 1024 - 1000);
  assert.match(text, /^line \d+ /);
  assert.ok(text.endsWith(line(39_999)));
  assert.equal(listed.find(({ name }) => name === 'console.json')?.leftOut, 'it is too large');
  assert.ok(!files.some(({ name }) => name === 'console.json'));
  await rejectsWith('support-unreadable', () => supportContents({ ...source, log: join(source.directory, 'none') }));
});

test('a line of megabytes is cleaned in about as long as it is', () => {
  const { log } = redactor(formsOf(newTestSite(), 'token-of-the-console'));
  const hostile = [
    'A1b',
    'password',
    'token-',
    '://',
    'eyJaaaaaaaaa.',
    '-----BEGIN X PRIVATE KEY-----',
    '{"a":',
    '\\n',
  ];
  for (const word of hostile) {
    const small = timeOf(() => log(word.repeat(100_000 / word.length)));
    const large = timeOf(() => log(word.repeat(1_000_000 / word.length)));
    assert.ok(large < 60 * Math.max(small, 20), `${word}: ${small} ms, then ${large} ms`);
  }
});

function timeOf(work: () => unknown): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}

test('a site without a network sends nothing and says how the file travels; a file that is none is not sent', async t => {
  const { source, site } = await place(t);
  const path = join(source.directory, 'bundle');
  await writeBundle(path, source, await supportContents(source));
  const { hint } = await rejectsWith('site-offline', () => sendBundle(path, site, () => undefined));
  assert.match(hint, /site support import/);
  const connected = { ...site, connected: true };
  await rejectsWith('support-unreadable', () => sendBundle(join(source.directory, 'no'), connected, () => undefined));
  const none = join(source.directory, 'site.json');
  await rejectsWith('support-corrupt', () => sendBundle(none, connected, () => undefined));
});
