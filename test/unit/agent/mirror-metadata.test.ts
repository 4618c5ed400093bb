// Signed metadata from web servers that break, stall and lie: an honest one that is listed last always wins, everybody else is
// named, and a site that nobody helps stays byte for byte as it was. Real HTTP on this machine.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import tls from 'node:tls';
import { type MirrorSource, mirrorSource } from '../../../agent/update/mirror.ts';
import { mediaPaths } from '../../../airgap/index.ts';
import { FragmentStore, SLOWEST } from '../../../bundles/index.ts';
import { fileTrustStore, type Repository, type RolloverError, visitMirrors } from '../../../signing/index.ts';
import { selfSigned } from '../../support/certificate.ts';
import { rejectsWith } from '../../support/errors.ts';
import { type Fault, type FaultyServer, faultyServer, HONEST } from '../../support/faulty-server.ts';
import { NOW, newRepository, type Served } from '../../support/repository.ts';
import { temporary } from '../../support/temporary.ts';

/** Attackers are found out in moments; honest mirrors have the time that they have in the field. */
const IMSLOWEST = { graceMs: 400, bytesPerSecond: 20_000 };
const MANY = 3000;

/** A repository of two days; the channel's file of the second is large. */
async function twoDays() {
  const repository = await newRepository();
  const first = repository.copy();
  const many = Array.from({ length: MANY }, (_, i) => [`channel/${i}`, `${i}`] as const);
  await repository.publish({ 'issuers.json': 'keys' }, { 'channel/head': 'second', ...Object.fromEntries(many) });
  return { anchor: repository.anchor, first, second: repository.copy() };
}

function filesOf({ metadata, targets }: Served): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const [name, bytes] of metadata) files.set(mediaPaths.metadata('', name), bytes);
  for (const [digest, bytes] of targets) files.set(mediaPaths.target('', digest), bytes);
  return files;
}

interface Line {
  readonly server: FaultyServer;
  readonly source: MirrorSource;
}

async function line(
  t: TestContext,
  served: Served,
  fault: FaultyServer['fault'] = () => HONEST,
  slowest = IMSLOWEST,
): Promise<Line> {
  const server = await faultyServer(t, filesOf(served), fault);
  const source = mirrorSource(server.url, { slowest });
  t.after(() => source.close());
  return { server, source };
}

async function visit(mirrors: readonly MirrorSource[], directory: string, anchor: Uint8Array) {
  const failed: Record<string, RolloverError> = {};
  const read = async (repository: Repository) =>
    Buffer.from((await repository.target('channel/head')).bytes).toString();
  const head = await visitMirrors(mirrors, fileTrustStore(directory), anchor, NOW, read, {
    onFailed: ({ name, error }) => {
      failed[name] = error;
    },
  });
  return { head, failed };
}

async function everyFileIn(directory: string): Promise<ReadonlyMap<string, string>> {
  const names = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = names.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
  return new Map(await Promise.all(paths.map(async path => [path, await readFile(path, 'hex')] as const)));
}

const ATTACKS: readonly { title: string; fault: Fault; code: string; reason: RegExp }[] = [
  {
    title: 'no answer: a request without one counts as too slow',
    fault: { kind: 'silent' },
    code: 'source-slow',
    reason: /is too slow: 0 bytes/,
  },
  {
    title: 'a byte now and then: an answer has to keep a least pace',
    fault: { kind: 'drip', everyMs: 20 },
    code: 'source-slow',
    reason: /is too slow/,
  },
  {
    title: 'connections that are cut: each answer is asked for three times',
    fault: { kind: 'reset' },
    code: 'feed-unreachable',
    reason: /does not answer/,
  },
  { title: 'errors: others are asked', fault: { kind: 'status', status: 503 }, code: 'feed-failed', reason: /503/ },
  {
    title: 'an endless answer: every file has a cap',
    fault: { kind: 'endless' },
    code: 'feed-too-large',
    reason: /sends more than \d+ bytes/,
  },
  {
    title: 'a compression bomb: nothing is decompressed',
    fault: { kind: 'bomb' },
    code: 'answer-odd',
    reason: /compressed/,
  },
  {
    title: 'redirects in a circle: none is followed',
    fault: { kind: 'redirect', to: '/metadata/timestamp.json' },
    code: 'answer-odd',
    reason: /elsewhere/,
  },
  {
    title: 'a redirect to an address inside of this site: it is not asked',
    fault: { kind: 'redirect', to: 'http://169.254.169.254/latest' },
    code: 'answer-odd',
    reason: /elsewhere to http:\/\/169\.254\.169\.254/,
  },
  {
    title: 'damaged files: nothing unsigned is believed',
    fault: { kind: 'damaged' },
    code: 'metadata-malformed',
    reason: /cannot be read/,
  },
  {
    title: 'files that end early: what does not parse is no metadata',
    fault: { kind: 'shorter' },
    code: 'metadata-malformed',
    reason: /cannot be read/,
  },
  {
    title: 'more than was signed: what follows is not passed over',
    fault: { kind: 'longer' },
    code: 'metadata-malformed',
    reason: /cannot be read/,
  },
];

for (const { title, fault, code, reason } of ATTACKS) {
  test(`attack on metadata with ${title}`, async t => {
    const { anchor, first, second } = await twoDays();
    const directory = await temporary(t);
    const start = await line(t, first, undefined, SLOWEST);
    await visit([start.source], directory, anchor);
    const before = await everyFileIn(directory);

    const attacker = await line(t, second, () => fault);
    const error = await rejectsWith(code, () => visit([attacker.source], directory, anchor));
    assert.match(error.message, reason);
    assert.deepEqual(await everyFileIn(directory), before, 'nobody has helped: nothing has changed');

    const again = mirrorSource(attacker.server.url, { slowest: IMSLOWEST });
    t.after(() => again.close());
    const honest = await line(t, second, undefined, SLOWEST);
    const { head, failed } = await visit([again, honest.source], directory, anchor);
    assert.equal(head, 'second');
    assert.deepEqual(Object.keys(failed), [again.name]);
    assert.match(failed[again.name]?.message as string, reason);
    assert.ok(attacker.server.asked.every(({ path }) => path.startsWith('metadata/')));
  });
}

test('a metadata file that breaks again and again is read on where it broke', async t => {
  const { anchor, second } = await twoDays();
  let breaks = 0;
  const { server, source } = await line(
    t,
    second,
    ({ path }) => {
      const cuts = path.endsWith('2.channel.json') && breaks < 5;
      if (!cuts) return HONEST;
      breaks++;
      return { kind: 'cut', after: 30_000 };
    },
    SLOWEST,
  );
  const { head } = await visit([source], await temporary(t), anchor);
  assert.equal(head, 'second');
  const channel = server.asked.filter(({ path }) => path.endsWith('2.channel.json'));
  assert.deepEqual(
    channel.map(({ from }) => from),
    [0, 30_000, 60_000, 90_000, 120_000, 150_000],
  );
  assert.ok(channel.slice(1).every(({ headers }) => headers['if-range'] !== undefined));
  const size = second.metadata.get('2.channel.json')?.length as number;
  assert.ok(size > 200_000);
});

test('a file that changes while it is read: what was read of the old one is not joined to the new one', async t => {
  const { anchor, first, second } = await twoDays();
  let cut = false;
  const { server, source } = await line(
    t,
    first,
    ({ path }) => {
      if (!path.endsWith('timestamp.json') || cut) return HONEST;
      cut = true;
      // The publication of the next day happens in between.
      setImmediate(() => {
        for (const [name, bytes] of filesOf(second)) server.files.set(name, bytes);
      });
      return { kind: 'cut', after: 300 };
    },
    SLOWEST,
  );
  const { head, failed } = await visit([source], await temporary(t), anchor);
  assert.equal(head, 'second');
  assert.deepEqual(failed, {});
  assert.deepEqual(
    server.asked.filter(({ path }) => path.endsWith('timestamp.json')).map(({ from }) => from),
    [0, 300],
  );
});

test('a signed document goes on at another mirror where one broke off, and what was wrong of it is fetched anew', async t => {
  const repository = await newRepository();
  const large = 'x'.repeat(300_000);
  await repository.publish({ 'issuers.json': 'keys' }, { 'channel/head': large });
  const served = repository.copy();
  for (const wrong of [false, true]) {
    const fragments = new FragmentStore();
    const serve = async (fault: FaultyServer['fault']) => {
      const server = await faultyServer(t, filesOf(served), fault);
      const source = mirrorSource(server.url, { fragments });
      t.after(() => source.close());
      return { server, source };
    };
    const broken = await serve(({ path, from }) => {
      if (!path.startsWith('targets/')) return HONEST;
      if (from > 0) return { kind: 'reset' };
      return { kind: wrong ? 'damaged-and-cut' : 'cut', after: 200_000 };
    });
    const whole = await serve(() => HONEST);
    const { head, failed } = await visit([broken.source, whole.source], await temporary(t), repository.anchor);
    assert.equal(head, large);
    assert.deepEqual(Object.keys(failed), [broken.source.name]);
    const asked = whole.server.asked.filter(({ path }) => path.startsWith('targets/')).map(({ from }) => from);
    assert.deepEqual(asked, wrong ? [200_000, 0] : [200_000]);
  }
});

test('a mirror whose every answer is just fast enough: all of them together have a limit, too', async t => {
  const repository = await newRepository();
  for (let i = 0; i < 12; i++) await repository.publishRoot();
  await repository.publish({ 'issuers.json': 'keys' }, { 'channel/head': 'second' });
  const served = repository.copy();
  const tenacious = await line(t, served, () => ({ kind: 'throttle', bytes: 1_000_000, everyMs: 250 }), {
    graceMs: 500,
    bytesPerSecond: 1_000_000,
  });
  const error = await rejectsWith('source-slow', async () =>
    visit([tenacious.source], await temporary(t), repository.anchor),
  );
  assert.match(error.message, /did not send metadata\/\d+\.root\.json in 1 s/);
  const honest = await line(t, served, undefined, SLOWEST);
  const { head } = await visit([tenacious.source, honest.source], await temporary(t), repository.anchor);
  assert.equal(head, 'second');
});

test('a mirror with a certificate that nobody here trusts is refused before it is asked for anything; a trusted one is used', async t => {
  const { anchor, second } = await twoDays();
  const certificate = await selfSigned('127.0.0.1');
  const files = filesOf(second);
  const asked: string[] = [];
  const server = https.createServer(certificate, (request, response) => {
    asked.push(request.url as string);
    const bytes = files.get(decodeURIComponent((request.url as string).slice('/some/folder/'.length)));
    response.writeHead(bytes ? 200 : 404).end(bytes);
  });
  server.on('tlsClientError', () => undefined);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/some/folder`;
  const attempt = async () => {
    const source = mirrorSource(url);
    try {
      return await visit([source], await temporary(t), anchor);
    } finally {
      source.close();
    }
  };
  const error = await rejectsWith('feed-failed', attempt);
  assert.match(error.message, /certificate that cannot be trusted/);
  assert.deepEqual(asked, []);
  const trusted = tls.getCACertificates('default');
  tls.setDefaultCACertificates([...trusted, certificate.cert]);
  try {
    assert.equal((await attempt()).head, 'second');
  } finally {
    tls.setDefaultCACertificates(trusted);
  }
});
