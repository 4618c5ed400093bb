// Several mirrors, attack by attack: an honest one that is listed last always wins, every liar is named, and what is stored is
// what the honest one alone would have led to. Mixtures come from a seed:
//   ROLLOVER_MIRROR_SEED=42 npm test -- unit
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  LIMITS,
  type Mirror,
  mostTelling,
  type Repository,
  RolloverError,
  signingError,
  visitMirrors,
} from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { randomFrom } from '../../support/killing.ts';
import {
  memoryStore,
  NOW,
  newRepository,
  newSigner,
  newSigners,
  type Served,
  sourceOf,
} from '../../support/repository.ts';

const DAY_MS = 24 * 3600_000;
const SEED = Number(process.env['ROLLOVER_MIRROR_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const NETWORK = { kind: 'network', hint: 'Wait.' } as const;

/** A repository of two days with one more root on the second, and a site that has seen the first. */
async function twoDays() {
  const repository = await newRepository();
  const first = repository.copy();
  await repository.publishRoot();
  await repository.publish({ 'issuers.json': 'new keys' }, { 'channel/head': 'second' });
  return { repository, anchor: repository.anchor, first, second: repository.copy() };
}

function mirror(name: string, served: Served): Mirror {
  return { name, ...sourceOf(served) };
}

/** Answers nothing but this. */
function failing(name: string, error: Error): Mirror {
  const fail = () => Promise.reject(error);
  return { name, metadata: fail, target: fail };
}

async function readAll(repository: Repository): Promise<string> {
  const issuers = await repository.target('issuers.json');
  const head = await repository.target('channel/head');
  return `${Buffer.from(issuers.bytes)}, ${Buffer.from(head.bytes)}`;
}

interface Visit {
  readonly anchor: Uint8Array;
  readonly store?: ReturnType<typeof memoryStore>;
  readonly nowMs?: number;
}

async function visit(mirrors: readonly Mirror[], { anchor, store = memoryStore(), nowMs = NOW }: Visit) {
  const failed: Record<string, string> = {};
  const onFailed = ({ name, error }: { name: string; error: RolloverError }) => {
    failed[name] = error.code;
  };
  const read = await visitMirrors(mirrors, store, anchor, nowMs, readAll, { onFailed });
  return { read, failed, stored: store.saved.at(-1) };
}

/** What a site has that has seen the first day, and nothing else since. */
async function seenFirst({ anchor, first }: Awaited<ReturnType<typeof twoDays>>) {
  const store = memoryStore();
  await visit([mirror('honest', first)], { anchor, store });
  return store;
}

const FILES = ['2.root.json', 'timestamp.json', '2.snapshot.json', '2.targets.json', '2.channel.json'] as const;

/** Ways to lie in one file; each gives what the mirror sends instead, undefined for nothing. */
const LIES: Readonly<
  Record<string, (file: string, days: Awaited<ReturnType<typeof twoDays>>) => Uint8Array | undefined>
> = {
  garbage: () => Buffer.from('{"signatures":[],"signed":{}}'),
  'one byte changed': (file, { second }) => {
    const bytes = Buffer.from(second.metadata.get(file) as Uint8Array);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
    return bytes;
  },
  'the file of the day before': (file, { first }) => first.metadata.get(file.replace(/^2\./, '1.')),
  'more bytes than there may be': () => Buffer.alloc(LIMITS.targetsBytes / 8, ' '),
  nothing: () => undefined,
};

/** Being behind is none: lacking what somebody else has, or a timestamp that is older and still good. */
function isNoOffence(file: string, lie: string): boolean {
  return file === 'timestamp.json' ? lie === 'the file of the day before' : lie === 'nothing';
}

for (const file of FILES) {
  for (const [lie, make] of Object.entries(LIES)) {
    test(`a mirror that sends ${lie} as ${file} is listed first: the honest one behind it wins`, async () => {
      const days = await twoDays();
      const lying = { ...days.second, metadata: new Map(days.second.metadata) };
      const sent = make(file, days);
      if (sent) lying.metadata.set(file, sent);
      else lying.metadata.delete(file);
      const mirrors = [mirror('lying', lying), mirror('honest', days.second)];
      const { read, failed, stored } = await visit(mirrors, { ...days, store: await seenFirst(days) });
      assert.equal(read, 'new keys, second');
      const alone = await visit([mirror('honest', days.second)], { ...days, store: await seenFirst(days) });
      assert.deepEqual(stored, alone.stored);
      assert.deepEqual(Object.keys(failed), isNoOffence(file, lie) ? [] : ['lying']);
    });
  }
}

test('a mirror that sends another object than was signed: it is refused by its digest, and the honest one is asked', async () => {
  const days = await twoDays();
  const targets = new Map([...days.second.targets].map(([digest, bytes]) => [digest, bytes.toReversed()] as const));
  const { read, failed } = await visit(
    [mirror('lying', { ...days.second, targets }), mirror('honest', days.second)],
    days,
  );
  assert.equal(read, 'new keys, second');
  assert.deepEqual(failed, { lying: 'target-digest' });
});

test('freeze by a mirror that is merely behind: the newest timestamp that verifies is followed, whoever has it', async () => {
  const days = await twoDays();
  for (const mirrors of [
    [mirror('behind', days.first), mirror('honest', days.second)],
    [mirror('honest', days.second), mirror('behind', days.first)],
  ]) {
    const { read, failed } = await visit(mirrors, { ...days, store: await seenFirst(days) });
    assert.equal(read, 'new keys, second');
    assert.deepEqual(failed, {}, 'being behind is no offence');
  }
});

test('rollback: a mirror with an older timestamp than the site has seen is named, and the others are asked', async () => {
  const days = await twoDays();
  const store = memoryStore();
  await visit([mirror('honest', days.second)], { ...days, store });
  const { read, failed } = await visit([mirror('old', days.first), mirror('honest', days.second)], { ...days, store });
  assert.equal(read, 'new keys, second');
  assert.deepEqual(failed, { old: 'metadata-version' });
});

test('withholding: a mirror offers the newest timestamp and not what it names; an honest one that is behind still wins', async () => {
  for (const file of ['2.snapshot.json', '2.targets.json', '2.channel.json', 'targets']) {
    const days = await twoDays();
    const store = await seenFirst(days);
    const before = store.saved.at(-1);
    const withholding: Served =
      file === 'targets'
        ? { ...days.second, targets: days.first.targets }
        : { ...days.second, metadata: new Map([...days.second.metadata].filter(([name]) => name !== file)) };
    const mirrors = [mirror('withholding', withholding), mirror('behind', days.first)];
    const { read, failed, stored } = await visit(mirrors, { ...days, store });
    assert.equal(read, 'keys, first', file);
    assert.deepEqual(failed, { withholding: 'metadata-missing' }, file);
    assert.deepEqual(stored?.timestamp, before?.timestamp, 'nothing of the new day is trusted yet');
    // When somebody has all of the second day, the site goes there.
    const later = await visit([mirror('withholding', withholding), mirror('honest', days.second)], { ...days, store });
    assert.equal(later.read, 'new keys, second', file);
  }
});

test('a stolen timestamp key: a forged timestamp names files that honest mirrors cannot have; they are not blamed, and win', async () => {
  const { repository, anchor, second } = await twoDays();
  repository.versions.timestamp = 1_000_000;
  repository.keys.snapshot = [newSigner()];
  // A snapshot under the number of the genuine one, so that honest mirrors send something else for it.
  repository.versions.snapshot -= 1;
  await repository.publishOnline();
  const forged = repository.copy();
  const store = memoryStore();
  const { read, failed, stored } = await visit([mirror('forging', forged), mirror('honest', second)], {
    anchor,
    store,
  });
  assert.equal(read, 'new keys, second');
  assert.deepEqual(failed, { forging: 'metadata-signature' });
  assert.deepEqual(stored?.timestamp, second.metadata.get('timestamp.json'));
});

test('stolen online keys after a rotation: a root that any mirror has ends them, and is kept even when all fail', async () => {
  const days = await twoDays();
  const { repository, anchor } = days;
  const stolen = { timestamp: repository.keys.timestamp, snapshot: repository.keys.snapshot };
  repository.keys.timestamp = [newSigner()];
  repository.keys.snapshot = [newSigner()];
  await repository.publishRoot();
  const rotated = repository.copy();
  Object.assign(repository.keys, stolen);
  await repository.publishOnline();
  const thief = repository.copy();
  thief.metadata.delete('3.root.json');

  const store = await seenFirst(days);
  const half: Served = {
    ...rotated,
    metadata: new Map([...rotated.metadata].filter(([name]) => name.endsWith('root.json'))),
  };
  const error = await rejectsWith('metadata-signature', () =>
    visit([mirror('thief', thief), mirror('half', half)], { anchor, store }),
  );
  assert.match(error.message, /thief: .* half: /);
  assert.deepEqual(store.saved.at(-1)?.root, rotated.metadata.get('3.root.json'));
  // From now on the thief alone is refused, too.
  await rejectsWith('metadata-signature', () => visit([mirror('thief', thief)], { anchor, store }));
});

test('no mirror helps: the stored state stays byte for byte as it was, and the error names each with its reason', async () => {
  const days = await twoDays();
  const store = memoryStore();
  await visit([mirror('honest', days.second)], { ...days, store });
  const before = store.saved.at(-1);
  const saves = store.saved.length;
  const foreign = await newRepository();
  const mirrors = [
    failing('gone', new RolloverError('feed-unreachable', NETWORK, 'Nobody listens there.')),
    failing('slow', new RolloverError('source-slow', NETWORK, 'It is too slow.')),
    mirror('old', days.first),
    mirror('foreign', {
      ...foreign.served,
      metadata: new Map([...foreign.served.metadata].filter(([name]) => !name.includes('root'))),
    }),
    mirror('empty', { metadata: new Map(), targets: new Map() }),
  ];
  const error = await rejectsWith('metadata-signature', () => visit(mirrors, { ...days, store }));
  for (const said of [
    /gone: Nobody listens there\./,
    /slow: It is too slow\./,
    /old: .*already known/,
    /empty: .*no timestamp/,
  ]) {
    assert.match(error.message, said);
  }
  assert.equal(store.saved.length, saves);
  assert.deepEqual(store.saved.at(-1), before);
});

test('freeze: when everybody’s timestamp has expired, that is what is said, and nothing is stored', async () => {
  const days = await twoDays();
  const store = await seenFirst(days);
  const saves = store.saved.length;
  const mirrors = [mirror('a', days.first), mirror('b', days.first)];
  await rejectsWith('metadata-expired', () => visit(mirrors, { ...days, store, nowMs: NOW + 31 * DAY_MS }));
  assert.equal(store.saved.length, saves);
});

test('mirrors that serve what two thieves have signed: a foreign key signs nothing, however many mirrors say the same', async () => {
  const days = await twoDays();
  const { repository, anchor, second } = days;
  repository.keys.targets = newSigners();
  await repository.publish({ 'issuers.json': 'evil' }, { 'channel/head': 'evil' });
  const evil = repository.copy();
  const mirrors = [mirror('a', evil), mirror('b', evil), mirror('c', evil), mirror('honest', second)];
  const { read, failed } = await visit(mirrors, { anchor, store: await seenFirst(days) });
  assert.equal(read, 'new keys, second');
  assert.ok(!('honest' in failed));
  assert.ok('a' in failed);
});

test('a fault of our own is no mirror’s: it is thrown, and not taken for an answer', async () => {
  const days = await twoDays();
  const mirrors = [failing('broken', new TypeError('ours')), mirror('honest', days.second)];
  await assert.rejects(visit(mirrors, days), TypeError);
});

test('what the reader finds wrong is thrown as it is, what was proven is kept, and no other mirror is asked', async () => {
  const days = await twoDays();
  const store = memoryStore();
  let reads = 0;
  const refuse = async (repository: Repository) => {
    reads++;
    await repository.target('issuers.json');
    throw signingError('license-invalid', 'It has ended.');
  };
  const mirrors = [mirror('a', days.second), mirror('b', days.first)];
  await rejectsWith('license-invalid', () => visitMirrors(mirrors, store, days.anchor, NOW, refuse));
  assert.equal(reads, 1);
  assert.deepEqual(store.saved.at(-1)?.timestamp, days.second.metadata.get('timestamp.json'));
});

test('the only mirror’s error is told as it is', async () => {
  const { anchor, second } = await twoDays();
  const lacking = { ...second, metadata: new Map([...second.metadata].filter(([name]) => name !== '2.snapshot.json')) };
  const error = await rejectsWith('metadata-missing', () => visit([mirror('only', lacking)], { anchor }));
  assert.equal(error.message, 'The source has no 2.snapshot.json.');
});

test('the code of several failures is the one that tells most, whatever their order', () => {
  const codes = [
    'metadata-signature',
    'metadata-digest',
    'metadata-version',
    'metadata-expired',
    'metadata-missing',
  ] as const;
  const ours = codes.map(code => signingError(code, `${code}.`));
  const others = [
    new RolloverError('license-refused', { kind: 'license', hint: 'Ask.' }, 'Refused.'),
    new RolloverError('object-corrupt', { kind: 'integrity', hint: 'Ask.' }, 'Damaged.'),
    new RolloverError('source-slow', NETWORK, 'Slow.'),
    new RolloverError('feed-unreachable', NETWORK, 'Gone.'),
    new RolloverError('disk-write', { kind: 'storage', hint: 'Ask.' }, 'Full.'),
  ];
  const order = [
    'metadata-signature',
    'metadata-digest',
    'object-corrupt',
    'license-refused',
    'metadata-version',
    'metadata-expired',
    'metadata-missing',
    'source-slow',
    'feed-unreachable',
    'disk-write',
  ];
  const failures = [...ours, ...others].map(error => ({ name: error.code, error }));
  for (const [i, code] of order.entries()) {
    const rest = failures.filter(({ error }) => order.indexOf(error.code) >= i);
    for (const some of [rest, rest.toReversed()]) assert.equal(mostTelling(some).code, code);
  }
});

test('any mixture of lying mirrors and an honest one, in any order: the result is the honest one’s', async () => {
  const days = await twoDays();
  const alone = await visit([mirror('honest', days.second)], { ...days, store: await seenFirst(days) });
  for (let round = 0; round < 40; round++) {
    const random = randomFrom(SEED + round);
    const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
    const liars = Array.from({ length: 1 + Math.floor(3 * random()) }, (_, i) => {
      const base = pick([days.first, days.second, days.second]);
      const metadata = new Map(base.metadata);
      for (let lies = Math.floor(3 * random()); lies >= 0; lies--) {
        const file = pick(FILES);
        const sent = pick(Object.values(LIES))(file, days);
        if (sent) metadata.set(file, sent);
        else metadata.delete(file);
      }
      const targets = random() < 0.3 ? new Map<string, Uint8Array>() : base.targets;
      return mirror(`liar ${i}`, { metadata, targets });
    });
    const at = Math.floor(random() * (liars.length + 1));
    const mirrors = liars.toSpliced(at, 0, mirror('honest', days.second));
    const where = `round ${round}, seed ${SEED}`;
    const { read, failed, stored } = await visit(mirrors, { ...days, store: await seenFirst(days) }).catch(error =>
      assert.fail(`${where}: ${error.stack}`),
    );
    assert.equal(read, 'new keys, second', where);
    assert.deepEqual(stored, alone.stored, where);
    assert.ok(!('honest' in failed), where);
  }
});
