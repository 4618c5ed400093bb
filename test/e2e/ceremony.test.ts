// The life of a root of trust, with the commands that people type: 3 of 5 signers, each with a sealed key in a directory of
// their own; a key is lost, a key is stolen, the online keys and the release keys are rotated, everything is renewed. Ten
// sites, each of which last looked at another moment, all reach the end. The tests build on one another.
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { feedClient } from '../../agent/update/feed-client.ts';
import { newSite, type Site } from '../../agent/update/site.ts';
import { type LicenseFile, targetPaths } from '../../bundles/index.ts';
import { readProposal, writeProposal } from '../../server/ceremony/proposal-file.ts';
import { signProposal } from '../../server/ceremony/sign.ts';
import { openSignerFile } from '../../server/ceremony/signer-file.ts';
import { type RunningServer, startServer } from '../../server/main.ts';
import { type ApiClient, apiClient } from '../../server/pipeline/api-client.ts';
import {
  EXIT_CODES,
  editRoot,
  fileTrustStore,
  type MetadataSource,
  parseMetadata,
  type Repository,
  refresh,
  rootDocument,
  sha256Hex,
  signMetadata,
  verifyLicense,
} from '../../signing/index.ts';
import { rejectsWith } from '../support/errors.ts';
import { freePorts, type Processes, processes } from '../support/processes.ts';
import { writeReleaseTree } from '../support/release-tree.ts';

const FOUNDERS = ['alice', 'bob', 'carol', 'dave', 'erin'];
const HEAD = targetPaths.channel('cloud', 'stable');
const TREE = { notes: 'notes', kernelBytes: 50_000, initrdBytes: 100_000, runtime: false };

interface View {
  readonly changes: readonly string[];
  readonly complete: boolean;
  readonly signatures: readonly { class: string; by: string; signed: readonly string[]; missing: readonly string[] }[];
}

let product: Processes;
let server: RunningServer;
let api: ApiClient;
const sites: Site[] = [];
const at = (...names: string[]) => join(product.directory, ...names);

before(async () => {
  const [port, feedPort] = (await freePorts([0, 0])) as [number, number];
  const environment: Record<string, string> = { ROLLOVER_SERVER: `http://127.0.0.1:${port}` };
  product = await processes(environment);
  server = await startServer({ directory: at('data'), host: '127.0.0.1', port, feedPort });
  const token = (await readFile(server.adminTokenPath, 'utf8')).trim();
  environment['ROLLOVER_TOKEN'] = token;
  environment['ROLLOVER_KEYS'] = at('pipeline');
  api = apiClient(server.url, token);
});
after(async () => {
  await server?.close();
  await product?.dispose();
});

test('five people make keys on their own machines, and three of them start the repository', async () => {
  await Promise.all([...FOUNDERS, 'release-1', 'release-2'].map(newSigner));
  await pipelineOf('release-1', 'release-2');
  await request('first', [
    ...['--add-root-signer', ...FOUNDERS.map(card), '--root-threshold', '3'],
    ...['--add-targets-signer', card('release-1'), card('release-2'), '--targets-threshold', '2'],
  ]);
  const refused = await product.run(['trust', 'publish', 'first']);
  assert.equal(refused.code, EXIT_CODES.conflict, refused.stderr);
  assert.match(refused.stderr, /root, classical keys of the next root: 0 of 3/);
  await signedBy('first', 'alice', 'carol', 'erin', 'release-1', 'release-2');
  await publish('first');
  await newVisitor();
});

test('who has signed is seen, and signing twice changes nothing', async () => {
  await request('unused', ['--root-threshold', '2']);
  const first = await sign('unused', 'alice');
  assert.equal(first.added, 2);
  const bytes = await readFile(at('unused'));
  assert.equal((await sign('unused', 'alice')).added, 0);
  assert.deepEqual(await readFile(at('unused')), bytes);
  const status = await product.json<View>(['trust', 'status', 'unused']);
  assert.equal(status.complete, false);
  for (const { signed, missing } of status.signatures) {
    assert.deepEqual([signed, missing], [['alice'], ['bob', 'carol', 'dave', 'erin']]);
  }
  const stranger = await product.run(['trust', 'sign', 'unused', ...keyOf('release-1')]);
  assert.equal(stranger.code, EXIT_CODES.input);
  assert.match(stranger.stderr, /waits for no signature of this key/);
  const pinned = ['--root-fingerprint', '0'.repeat(64)];
  const elsewhere = await product.run(['trust', 'sign', 'unused', ...keyOf('bob'), ...pinned]);
  assert.equal(elsewhere.code, EXIT_CODES.integrity);
  assert.match(elsewhere.stderr, /not for the one you named/);
});

test('the release pipeline signs with sealed files that signers.yaml names', async () => {
  await release('1.0.0', 'stable');
  await newVisitor();
});

test('a key is lost: the others put a new signer in its place', async () => {
  await newSigner('frank');
  const { changes } = await request('bob-lost', ['--remove-root-signer', 'bob', '--add-root-signer', card('frank')]);
  assert.equal(changes.filter(change => /without bob/.test(change)).length, 2);
  assert.equal(changes.filter(change => /with frank/.test(change)).length, 2);
  await signedBy('bob-lost', 'alice', 'dave', 'erin');
  await publish('bob-lost');
  await newVisitor();
  await release('1.1.0', 'stable');
  await newVisitor();
});

test('a key is stolen: it is taken out, and what the thief signs is refused from then on', async () => {
  await newSigner('grace');
  await request('carol-stolen', ['--remove-root-signer', 'carol', '--add-root-signer', card('grace')]);
  await signedBy('carol-stolen', 'alice', 'dave', 'frank');
  await publish('carol-stolen');
  await newVisitor();

  await request('wish', ['--root-threshold', '2']);
  const refused = await product.run(['trust', 'sign', 'wish', ...keyOf('carol')]);
  assert.match(refused.stderr, /waits for no signature of this key/);
  // Carol's stolen key, Bob's that was found, and one signer who was deceived: once these were three of five.
  const forged = await forgedRoot(['carol', 'bob', 'erin']);
  await rejectsWith('metadata-signature', () =>
    api.post('/v1/trust/publications', { metadata: { root: forged.toString('base64') } }),
  );
  const current = parseMetadata('root', await published('root')).content.version;
  const evil = { [`${current + 1}.root.json`]: forged };
  await rejectsWith('metadata-signature', () => visit(sites[0] as Site, evil, 'fooled'));
});

test('the online keys are rotated: what the old ones have signed is refused', async () => {
  const old = { timestamp: await published('timestamp'), snapshot: await published('snapshot') };
  await request('superseded', ['--rotate-online-keys', 'snapshot', 'timestamp']);
  await request('online', ['--rotate-online-keys', 'snapshot', 'timestamp']);
  for (const name of ['superseded', 'online']) await signedBy(name, 'alice', 'frank', 'grace');
  const early = await product.run(['trust', 'publish', 'superseded']);
  assert.match(early.stderr, /names a snapshot key that this service does not have/);
  await publish('online');
  await newVisitor();
  const replayed = { 'timestamp.json': old.timestamp };
  await rejectsWith('metadata-signature', () => visit(sites[0] as Site, replayed, 'replayed'));
  await release('1.2.0', 'stable');
  const stale = await product.run(['trust', 'publish', 'unused']);
  assert.equal(stale.code, EXIT_CODES.conflict);
});

test('after a break-in all online keys are rotated: licenses of the old issuer key count no more', async () => {
  const { file } = await api.post<{ file: LicenseFile }>('/v1/licenses', {
    customer: 'Acme',
    product: 'cloud',
    channels: ['stable'],
    nodes: 10,
  });
  const before = await visit(sites[0] as Site, {}, 'before-the-break-in');
  await verifyLicense(file.license, (await before.target(targetPaths.issuers)).bytes);
  const { changes } = await request('break-in', ['--rotate-online-keys']);
  for (const path of [targetPaths.issuers, targetPaths.director]) {
    assert.ok(changes.some(change => change.includes(`changes ${path}`)));
  }
  await signedBy('break-in', 'alice', 'frank', 'grace', 'release-1', 'release-2');
  await publish('break-in');
  const after = await visit(sites[0] as Site, {}, 'after-the-break-in');
  const issuers = (await after.target(targetPaths.issuers)).bytes;
  await rejectsWith('license-invalid', () => verifyLicense(file.license, issuers));
});

test('thresholds are raised, within what the signers can reach', async () => {
  const refused = await product.run(['trust', 'request', '--out', 'no', '--root-threshold', '6']);
  assert.match(refused.stderr, /5 classical keys and a threshold of 6/);
  await request('four', ['--root-threshold', '4']);
  await signedBy('four', 'alice', 'dave', 'erin', 'frank');
  await publish('four');
  await newVisitor();
});

test('a release key is rotated with every delegation and channel that it signs', async () => {
  await newSigner('release-3');
  const { signatures } = await request('release-key', [
    ...['--remove-targets-signer', 'release-1', '--add-targets-signer', card('release-3')],
  ]);
  assert.equal(signatures.length, 8, 'root by its old and new keys, targets, the channel; each class for itself');
  await signedBy('release-key', 'alice', 'dave', 'erin', 'grace', 'release-2', 'release-3');
  await publish('release-key');
  await newVisitor();
  await pipelineOf('release-1', 'release-2');
  const old = await product.run(['release', 'publish', await tree('1.3.0', 'stable')]);
  assert.equal(old.code, EXIT_CODES.conflict, 'the key that was rotated out counts no more');
  await pipelineOf('release-2', 'release-3');
  await release('1.3.0', 'stable');
  await newVisitor();
  await release('2.0.0', 'edge');
});

test('everything is renewed: targets and channels by the pipeline, root by its signers', async () => {
  const renewed = await product.json<{ renewed: object }>([
    'trust',
    'renew',
    '--out',
    'renewal',
    '--expires',
    '2099-12-31',
  ]);
  assert.deepEqual(Object.keys(renewed.renewed), ['targets', 'cloud.stable', 'cloud.edge']);
  await newVisitor();
  await signedBy('renewal', 'alice', 'dave', 'erin', 'frank');
  await publish('renewal');
  await publish('renewal');
  const { roles } = await product.json<{ roles: { role: string; expires: string; warning?: string }[] }>([
    'trust',
    'status',
  ]);
  for (const { role, expires, warning } of roles) {
    assert.equal(warning, undefined);
    if (role !== 'snapshot' && role !== 'timestamp') assert.match(expires, /^2099-12-31/, role);
  }
});

test('ten sites, each of another time, reach the newest state', async () => {
  assert.equal(sites.length, 10);
  const newest = parseMetadata('root', await published('root')).content.version;
  const seen = new Set<number>();
  for (const site of sites) {
    const before = await fileTrustStore(at('sites', site.name)).load();
    seen.add(parseMetadata('timestamp', before?.timestamp as Uint8Array).content.version);
    const view = await visit(site);
    assert.equal(view.state.root.content.version, newest);
    assert.deepEqual(view.state.timestamp?.bytes, await published('timestamp'));
    const head = JSON.parse(Buffer.from((await view.target(HEAD)).bytes).toString('utf8'));
    assert.equal(head.releases.at(-1).version, '1.3.0');
  }
  assert.equal(seen.size, 10, 'each had stopped at another state');
});

async function newSigner(name: string): Promise<void> {
  await mkdir(at(name));
  await writeFile(at(name, 'passphrase'), `the passphrase of ${name} alone\n`, { mode: 0o600 });
  await product.json(['trust', 'key', 'new', join(name, `${name}.key`), '--passphrase-file', join(name, 'passphrase')]);
  await writeFile(
    at(card(name)),
    JSON.stringify(await product.json(['trust', 'key', 'show', join(name, `${name}.key`)])),
  );
}

function card(name: string): string {
  return `${name}.json`;
}

function keyOf(name: string): readonly string[] {
  return ['--key', join(name, `${name}.key`), '--passphrase-file', join(name, 'passphrase')];
}

/** The keys directory of the release pipeline, with these signers at hand. */
async function pipelineOf(...names: string[]): Promise<void> {
  await mkdir(at('pipeline'), { recursive: true });
  const entries = names.map(
    name =>
      `  - name: ${name}\n    keys: [{ file: ../${name}/${name}.key, passphrase: "file:../${name}/passphrase" }]\n`,
  );
  await writeFile(at('pipeline', 'signers.yaml'), `targets:\n${entries.join('')}`);
}

function request(file: string, flags: readonly string[]): Promise<View> {
  return product.json<View>(['trust', 'request', '--out', file, ...flags]);
}

function sign(file: string, name: string): Promise<View & { added: number }> {
  return product.json(['trust', 'sign', file, ...keyOf(name)]);
}

/** Everybody signs a copy of their own, at the same time; the coordinator merges what comes back. */
async function signedBy(file: string, ...names: string[]): Promise<void> {
  const copies = await Promise.all(
    names.map(async name => {
      const copy = join(name, file);
      const { proposal } = await signProposal(await readProposal(at(file)), await signersOf(name));
      await writeProposal(at(copy), proposal);
      return copy;
    }),
  );
  const { complete } = await product.json<View>(['trust', 'merge', file, ...copies]);
  assert.ok(complete);
}

/** Opened once: what a passphrase costs is paid by whoever guesses, not by this test. */
const opened = new Map<string, ReturnType<typeof openSignerFile>>();

function signersOf(name: string) {
  const signers =
    opened.get(name) ?? openSignerFile(at(name, `${name}.key`), async () => `the passphrase of ${name} alone`);
  opened.set(name, signers);
  return signers;
}

async function publish(file: string): Promise<void> {
  await product.json(['trust', 'publish', file]);
}

async function tree(version: string, channel: string): Promise<string> {
  return writeReleaseTree(at('trees', version), { ...TREE, version, channel });
}

async function release(version: string, channel: string): Promise<void> {
  await product.json(['release', 'publish', await tree(version, channel)]);
}

async function published(role: string): Promise<Buffer> {
  return (await api.bytes(`/v1/roles/${role}`)) as Buffer;
}

/** A new site looks once, now. */
async function newVisitor(): Promise<void> {
  const { file } = await api.post<{ file: LicenseFile }>('/v1/licenses', {
    customer: 'Acme',
    product: 'cloud',
    channels: ['stable'],
    nodes: 10,
  });
  const site = newSite(file, { name: `site-${sites.length + 1}`, connected: true });
  sites.push(site);
  await visit(site);
}

/** Refreshes a site over its own connection; some answers are `instead` somebody else's. */
async function visit(
  site: Site,
  instead: Readonly<Record<string, Uint8Array>> = {},
  store = site.name,
): Promise<Repository> {
  const feed = feedClient(site);
  const source: MetadataSource = {
    metadata: async (name, most) => instead[name] ?? feed.metadata(name, most),
    target: (path, sha256, most) => feed.target(path, sha256, most),
  };
  try {
    const view = await refresh(source, fileTrustStore(at('sites', store)), Buffer.from(site.trustAnchor), Date.now());
    await view.loadAllRoles();
    const loaded = await view.target(targetPaths.issuers);
    assert.equal(sha256Hex(loaded.bytes), loaded.meta.sha256);
    if (view.state.targets.has('cloud.stable')) await view.target(HEAD);
    return view;
  } finally {
    feed.close();
  }
}

/** The next root, for a new signer of the thief's, signed with keys that the thief has. */
async function forgedRoot(names: readonly string[]): Promise<Buffer> {
  const root = editRoot(await published('root'));
  await newSigner('mallory');
  const mallory = await signersOf('mallory');
  const signers = [...mallory, ...(await Promise.all(names.map(signersOf))).flat()];
  const roles = { ...root.roles, root: { keys: mallory.map(signer => signer.key), threshold: 1 } };
  return signMetadata(rootDocument({ version: root.version + 1, expiresMs: root.expiresMs }, roles), signers);
}
