// Sealed objects over lines that break and from mirrors that lie: what has arrived is kept, the rest is asked for, and whoever
// sends something else than what was signed is named. Real HTTP on this machine; the breaks come from a seed:
//   ROLLOVER_LINE_SEED=42 npm test -- unit
import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type MirrorSource, mirrorSource } from '../../../agent/update/mirror.ts';
import { peerSource } from '../../../agent/update/peer.ts';
import { mediaPaths } from '../../../airgap/index.ts';
import { FragmentStore, feedPaths, filesystemStore, type ObjectSource, syncObjects } from '../../../bundles/index.ts';
import { sha256Hex } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { type Asked, type Fault, type FaultyServer, faultyServer, HONEST } from '../../support/faulty-server.ts';
import { randomFrom } from '../../support/killing.ts';
import { fixedBytes } from '../../support/release-tree.ts';
import { temporary } from '../../support/temporary.ts';

const SEED = Number(process.env['ROLLOVER_LINE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const SIZE = 200_000;
const COUNT = 12;
const TOTAL = COUNT * SIZE;
const CONTENT = Array.from({ length: COUNT }, (_, i) => fixedBytes(`object ${i}`, SIZE));
const OBJECTS = CONTENT.map(bytes => ({ name: sha256Hex(bytes), size: bytes.length }));
const FILES = new Map(OBJECTS.map(({ name }, i) => [mediaPaths.object('', name), CONTENT[i] as Buffer]));
/** What a socket may have under way when its other end goes away. */
const UNDER_WAY = 4 * 1024 * 1024;
/** Fails in moments what fails in minutes otherwise. */
const slowest = { graceMs: 1500, bytesPerSecond: 20_000 };

interface Line {
  readonly server: FaultyServer;
  readonly source: MirrorSource;
}

async function line(t: TestContext, fault: FaultyServer['fault'] = () => HONEST): Promise<Line> {
  const server = await faultyServer(t, FILES, fault);
  const source = mirrorSource(server.url);
  t.after(() => source.close());
  return { server, source };
}

async function sync(t: TestContext, sources: readonly ObjectSource[], directory?: string) {
  const folder = directory ?? (await temporary(t));
  const store = filesystemStore(join(folder, 'objects'));
  const fragments = new FragmentStore(join(folder, 'fragments'));
  const result = await syncObjects(OBJECTS, sources, store, { slowest, fragments });
  for (const [i, { name }] of OBJECTS.entries()) assert.ok((await store.get(name)).equals(CONTENT[i] as Buffer));
  assert.deepEqual(
    await readdir(join(folder, 'fragments')).catch(() => []),
    [],
    'nothing is left of what was unfinished',
  );
  return { ...result, named: result.dropped.map(({ name }) => name) };
}

test('a line that cuts every second transfer: all of it arrives, and what has arrived is not sent again', async t => {
  const random = randomFrom(SEED);
  let breaks = 0;
  const { server, source } = await line(t, ({ from }) => {
    if (random() < 0.5) return HONEST;
    breaks++;
    return { kind: 'cut', after: Math.floor((0.02 + 0.98 * random()) * (SIZE - from)) };
  });
  const { named } = await sync(t, [source]);
  assert.deepEqual(named, []);
  assert.ok(breaks > 0);
  assert.ok(server.asked.some(({ from, headers }) => from > 0 && headers['if-range'] !== undefined));
  const again = server.sentBytes - TOTAL;
  t.diagnostic(
    `${breaks} breaks in ${TOTAL} bytes: ${Math.round(again / breaks)} bytes sent again for each, seed ${SEED}`,
  );
  assert.equal(again, 0);
});

test('a mirror that breaks off in the middle and is gone: another one is asked for the rest only', async t => {
  const first = await line(t, ({ path, from }) => {
    const isFirst = first.server.asked.filter(asked => asked.path === path).length === 1;
    return isFirst && from === 0 ? { kind: 'cut', after: 150_000 } : { kind: 'reset' };
  });
  const second = await line(t);
  await sync(t, [first.source, second.source]);
  const rests = second.server.asked.filter(({ from }) => from === 150_000);
  assert.ok(rests.length > 0);
  assert.ok(
    rests.every(({ headers }) => headers['if-range'] === undefined),
    'the ETag of one server says nothing to another',
  );
  assert.equal(first.server.sentBytes + second.server.sentBytes, TOTAL);
});

test('an earlier run was interrupted: the next one goes on in the middle of the object', async t => {
  const directory = await temporary(t);
  const broken = await line(t, ({ from }) => (from === 0 ? { kind: 'cut', after: 120_000 } : { kind: 'reset' }));
  await rejectsWith('feed-unreachable', () => sync(t, [broken.source], directory));
  const kept = await readdir(join(directory, 'fragments'));
  assert.ok(kept.length > 0);
  const { server, source } = await line(t);
  await sync(t, [source], directory);
  assert.equal(server.asked.filter(({ from }) => from === 120_000).length, kept.length);
  assert.equal(server.sentBytes, TOTAL - kept.length * 120_000);
});

test('what an earlier run has left is wrong: it is thrown away once, and nobody is blamed for it', async t => {
  const directory = await temporary(t);
  await mkdir(join(directory, 'fragments'));
  const { name } = OBJECTS[3] as (typeof OBJECTS)[0];
  await writeFile(join(directory, 'fragments', name), Buffer.alloc(70_000, 'x'));
  const { server, source } = await line(t);
  assert.deepEqual((await sync(t, [source], directory)).named, []);
  assert.equal(server.sentBytes, TOTAL + SIZE - 70_000);
});

test('poisoned beginning: a mirror sends wrong bytes and breaks off; the object is fetched whole once, and that mirror is named', async t => {
  const liar = await line(t, ({ path, from }) => {
    const isFirst = liar.server.asked.filter(asked => asked.path === path).length === 1;
    return isFirst && from === 0 ? { kind: 'damaged-and-cut', after: 100_000 } : { kind: 'reset' };
  });
  const honest = await line(t);
  const { dropped } = await sync(t, [liar.source, honest.source]);
  const reasons = dropped.map(({ name, reason }) => `${name}: ${reason}`);
  assert.equal(reasons.length, 1);
  assert.match(reasons[0] as string, new RegExp(`^${liar.source.name}: It sent a wrong part of [0-9a-f]{64}\\.$`));
  const poisoned = liar.server.asked.filter(({ from }) => from === 0).length;
  assert.ok(honest.server.sentBytes <= TOTAL + poisoned * SIZE, 'each poisoned object is sent once more, and no other');
});

/** An attack on objects, who is left with it, and what is said of the attacker. */
const ATTACKS: readonly { title: string; fault: (asked: Asked) => Fault; reason: RegExp }[] = [
  {
    title: 'damaged bytes: every object is held against its name',
    fault: () => ({ kind: 'damaged' }),
    reason: /is damaged/,
  },
  {
    title: 'a byte now and then: a transfer has to keep a least pace at any time',
    fault: () => ({ kind: 'drip', everyMs: 20 }),
    reason: /is too slow: \d+ bytes of [0-9a-f]{12} \(200000 bytes\) in 2 s/,
  },
  {
    title: 'a fast beginning and a drip afterwards: the pace holds at any time, and not on the average',
    fault: () => ({ kind: 'fast-then-drip', fast: 190_000, everyMs: 20 }),
    reason: /is too slow/,
  },
  {
    title: 'an answer that never comes: a request without an answer counts as a slow transfer',
    fault: () => ({ kind: 'silent' }),
    reason: /is too slow: 0 bytes/,
  },
  {
    title: 'an endless body: nothing is read beyond what was signed',
    fault: () => ({ kind: 'endless' }),
    reason: /sends more than 200000 bytes/,
  },
  {
    title: 'a longer body than promised: nothing is read beyond what was signed',
    fault: () => ({ kind: 'longer' }),
    reason: /sends more than 200000 bytes/,
  },
  {
    title: 'a compression bomb: nothing is decompressed',
    fault: () => ({ kind: 'bomb' }),
    reason: /compressed, and was asked not to/,
  },
  {
    title: 'a redirect to an address inside of this site: redirects are not followed',
    fault: () => ({ kind: 'redirect', to: 'http://127.0.0.1:9/secret' }),
    reason: /sends us elsewhere to http:\/\/127\.0\.0\.1:9\.$/,
  },
  {
    title: 'a redirect in a circle: redirects are not followed',
    fault: ({ path }) => ({ kind: 'redirect', to: `/${path}` }),
    reason: /sends us elsewhere/,
  },
  {
    title: 'a part that begins elsewhere: the range is held against what was asked for',
    fault: () => ({ kind: 'other-range' }),
    reason: /another range than it was asked for/,
  },
  {
    title: 'a part of nobody knows what: a 206 has to say its range',
    fault: () => ({ kind: 'no-content-range' }),
    reason: /another range than it was asked for/,
  },
];

for (const { title, fault, reason } of ATTACKS) {
  test(`attack with ${title}`, async t => {
    const attacker = await line(t, fault);
    const honest = await line(t);
    const { dropped, bySource } = await sync(t, [attacker.source, honest.source]);
    assert.deepEqual(
      dropped.map(({ name }) => name),
      [attacker.source.name],
    );
    assert.match(dropped[0]?.reason as string, reason);
    assert.deepEqual(bySource, { [honest.source.name]: TOTAL });
    assert.ok(attacker.server.sentBytes <= 4 * UNDER_WAY + TOTAL, `${attacker.server.sentBytes} bytes were taken`);
    const redirected = attacker.server.asked.some(({ path }) => path === 'secret');
    assert.ok(!redirected);
  });
}

test('a server that does not know ranges: what it sends again is compared, and the rest is taken', async t => {
  const broken = await line(t, ({ from }) => (from === 0 ? { kind: 'cut', after: 150_000 } : { kind: 'reset' }));
  const whole = await line(t, () => ({ kind: 'ignores-range' }));
  await sync(t, [broken.source, whole.source]);
  assert.ok(whole.server.asked.some(({ from }) => from === 150_000));
});

test('a server that does not know ranges and breaks off ever later: it is not asked for the same again and again', async t => {
  const { server, source } = await line(t, ({ path }) => {
    const times = server.asked.filter(asked => asked.path === path).length;
    return { kind: 'ignores-range-and-cuts', after: 10_000 + 3000 * times };
  });
  await rejectsWith('feed-unreachable', () => sync(t, [source]));
  assert.ok(server.asked.length <= 16, `asked ${server.asked.length} times`);
});

test('content that changes with every request: an honest mirror still brings all of it, and the other one is named', async t => {
  const changing = await line(t, () => ({ kind: 'changed' }));
  const honest = await line(t);
  const { named } = await sync(t, [changing.source, honest.source]);
  assert.deepEqual(named, [changing.source.name]);
  assert.ok(honest.server.sentBytes <= 2 * TOTAL);
});

test('a copy that was cut short: what there is of it is taken, and the rest comes from another mirror', async t => {
  const short = await line(t, () => ({ kind: 'shorter' }));
  const honest = await line(t);
  const { named } = await sync(t, [short.source, honest.source]);
  assert.deepEqual(named, [], 'it lacks objects, as any mirror may');
  assert.ok(honest.server.asked.some(({ from }) => from === SIZE / 2));
  assert.ok(short.server.sentBytes + honest.server.sentBytes <= TOTAL);
});

test('a server that answers 416 to the rest: it lacks that object, and others are asked', async t => {
  const first = await line(t, ({ from }) =>
    from === 0 ? { kind: 'cut', after: 100_000 } : { kind: 'status', status: 416 },
  );
  const second = await line(t);
  const { named } = await sync(t, [first.source, second.source]);
  assert.deepEqual(named, []);
  assert.equal(first.server.sentBytes + second.server.sentBytes, TOTAL);
});

test('nothing about this site is told to a mirror or a peer', async t => {
  const { server, source } = await line(t);
  const peers = await faultyServer(
    t,
    new Map(OBJECTS.map(({ name }, i) => [feedPaths.object(name).slice(1), CONTENT[i] as Buffer])),
  );
  const peer = peerSource(peers.url);
  t.after(() => peer.close());
  await sync(t, [source, peer]);
  for (const { headers } of [...server.asked, ...peers.asked]) {
    const names = Object.keys(headers).filter(name => !['host', 'connection', 'accept-encoding'].includes(name));
    assert.deepEqual(names, []);
    assert.equal(headers['accept-encoding'], 'identity');
  }
  assert.ok(peers.asked.length > 0);
});

test('with one honest mirror on a bad line, any mixture of attackers and breaks ends with the right bytes', async t => {
  for (let round = 0; round < 12; round++) {
    const random = randomFrom(SEED + round);
    let breaks = 0;
    const honest = await line(t, ({ from }) => {
      if (random() < 0.6) return HONEST;
      breaks++;
      return random() < 0.2
        ? { kind: 'cut', after: Math.floor(0.02 * SIZE + random() * (SIZE - from)) }
        : { kind: 'cut', after: Math.floor((0.02 + 0.9 * random()) * (SIZE - from)) };
    });
    const attackers = await Promise.all(
      [0, 1].map(() => {
        const next = randomFrom(Math.floor(random() * 2 ** 31));
        return line(t, () => anyFault(next));
      }),
    );
    const sources = [...attackers.map(({ source }) => source), honest.source];
    const where = `round ${round}, seed ${SEED}`;
    const { named, bySource } = await sync(t, sources).catch(error => assert.fail(`${where}: ${error.stack}`));
    assert.ok(!named.includes(honest.source.name), where);
    assert.equal(
      Object.values(bySource).reduce((sum, bytes) => sum + bytes, 0),
      TOTAL,
    );
    // An attacker can have an object sent once more for each of its own transfers, until it is named.
    const most = TOTAL + attackers.flatMap(({ server }) => server.asked).length * SIZE;
    assert.ok(honest.server.sentBytes <= most, `${where}: ${honest.server.sentBytes} bytes, ${breaks} breaks`);
    for (const { server } of attackers)
      assert.ok(server.asked.length <= 60, `${where}: asked ${server.asked.length} times`);
  }
});

/** Some of them right by accident, as a good attacker is. */
function anyFault(random: () => number): Fault {
  const after = Math.floor(random() * SIZE);
  const faults: readonly Fault[] = [
    HONEST,
    { kind: 'cut', after },
    { kind: 'reset' },
    { kind: 'status', status: [404, 500, 416][Math.floor(3 * random())] as number },
    { kind: 'ignores-range' },
    { kind: 'ignores-range-and-cuts', after },
    { kind: 'other-range' },
    { kind: 'no-content-range' },
    { kind: 'changed' },
    { kind: 'damaged' },
    { kind: 'damaged-and-cut', after },
    { kind: 'shorter' },
    { kind: 'longer' },
    { kind: 'bomb' },
    { kind: 'redirect', to: '/elsewhere' },
    { kind: 'drip', everyMs: 20 },
  ];
  return faults[Math.floor(random() * faults.length)] as Fault;
}
