// Attack stories: what a hostile mirror, a stolen key or a replayed stick can try, and what it is answered with.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode, refresh, type Signer, verifySignature } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
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

function visit(served: Served, anchor: Uint8Array, store = memoryStore(), nowMs = NOW) {
  return refresh(sourceOf(served), store, anchor, nowMs);
}

test('an honest repository: targets of the top level and of a delegated role are found', async () => {
  const repository = await newRepository();
  const view = await visit(repository.served, repository.anchor);
  assert.equal(Buffer.from((await view.target('issuers.json')).bytes).toString(), 'keys');
  assert.equal(Buffer.from((await view.target('channel/head')).bytes).toString(), 'first');
});

test('rollback: an older repository, replayed, is refused', async () => {
  const repository = await newRepository();
  const old = repository.copy();
  await repository.publish({ 'issuers.json': 'keys' }, { 'channel/head': 'second' });
  const store = memoryStore();
  await visit(repository.served, repository.anchor, store);
  const before = store.saved.length;
  await rejectsWith('metadata-version', () => visit(old, repository.anchor, store));
  assert.equal(store.saved.length, before, 'nothing was stored');
});

test('rollback of one role under stolen online keys: the snapshot may not list an older version', async () => {
  const repository = await newRepository();
  await repository.publish({ 'issuers.json': 'keys' }, { 'channel/head': 'second' });
  const store = memoryStore();
  await visit(repository.served, repository.anchor, store);
  const thief = await newRepository();
  thief.keys.snapshot = repository.keys.snapshot;
  thief.keys.timestamp = repository.keys.timestamp;
  thief.versions.snapshot = repository.versions.snapshot;
  thief.versions.timestamp = repository.versions.timestamp;
  await thief.publishOnline();
  await rejectsWith('metadata-version', () => visit(thief.served, repository.anchor, store));
});

test('freeze: a timestamp that is no longer renewed expires', async () => {
  const repository = await newRepository();
  await rejectsWith('metadata-expired', () =>
    visit(repository.served, repository.anchor, memoryStore(), NOW + 31 * DAY_MS),
  );
});

test('mix and match: a snapshot of another day does not fit the timestamp', async () => {
  const repository = await newRepository();
  const old = repository.copy();
  await repository.publish({ 'issuers.json': 'keys' }, { 'channel/head': 'second' });
  const mixed = repository.copy();
  mixed.metadata.set('2.snapshot.json', old.metadata.get('1.snapshot.json') as Uint8Array);
  await rejectsWith('metadata-digest', () => visit(mixed, repository.anchor));
});

test('a foreign key signs nothing: every role is checked against root', async () => {
  for (const role of ['timestamp', 'snapshot', 'targets'] as const) {
    const repository = await newRepository();
    repository.keys[role] = newSigners();
    await repository.publish({ 'issuers.json': 'evil' });
    const work = async () => (await visit(repository.served, repository.anchor)).target('issuers.json');
    await rejectsWith('metadata-signature', work);
  }
});

test('a foreign key signs nothing: a delegated role is checked against its delegation', async () => {
  const repository = await newRepository();
  repository.channelSigners = newSigners();
  await repository.publish({}, { 'channel/head': 'evil' });
  const view = await visit(repository.served, repository.anchor);
  await rejectsWith('metadata-signature', () => view.target('channel/head'));
});

test('a threshold of two is not met by one key, however often it signs', async () => {
  const repository = await newRepository();
  const only = repository.keys.targets;
  repository.thresholds.targets = 2;
  repository.keys.targets = [...only, ...newSigners()];
  await repository.publishRoot();
  repository.keys.targets = only;
  await repository.publish({ 'issuers.json': 'keys' });
  await rejectsWith('metadata-signature', () => visit(repository.served, repository.anchor));
});

test('half of a key pair signs nothing: a broken Ed25519 alone, or a broken ML-DSA alone, publishes no software', async () => {
  for (const broken of [0, 1]) {
    const repository = await newRepository();
    repository.channelSigners = repository.keys.channel.slice(broken, broken + 1);
    await repository.publish({ 'issuers.json': 'keys' }, { 'channel/head': 'forged' });
    const view = await visit(repository.served, repository.anchor);
    const error = await rejectsWith('metadata-signature', () => view.target('channel/head'));
    assert.match(error.message, broken === 0 ? /post-quantum keys/ : /classical keys/);
  }
});

test('a root, targets or channel that only has keys of one class is refused', async () => {
  for (const role of ['root', 'targets', 'channel'] as const) {
    for (const missing of [0, 1]) {
      const repository = await newRepository();
      const left = role === 'root' ? [repository.keys.root[missing] as Signer] : [];
      repository.keys[role] = repository.keys[role].toSpliced(missing, 1);
      await repository.publishRoot(left);
      await repository.publish({ 'issuers.json': 'keys' }, { 'channel/head': 'second' });
      const read = async () => (await visit(repository.served, repository.anchor)).target('channel/head');
      assert.match((await rejectsWith('metadata-signature', read)).message, /both classes/, role);
    }
  }
});

test('the threshold holds for each class: two signers with half a pair each are one signer', async () => {
  const repository = await newRepository();
  const first = repository.keys.targets;
  const second = newSigners();
  repository.keys.targets = [...first, ...second];
  repository.thresholds.targets = 2;
  await repository.publishRoot();
  repository.keys.targets = [first[0] as Signer, second[1] as Signer, first[1] as Signer];
  await repository.publish({ 'issuers.json': 'keys' });
  await rejectsWith('metadata-signature', () => visit(repository.served, repository.anchor));
});

test('type confusion: a signature of one algorithm does not pass as one of another', async () => {
  const [ed25519, mlDsa] = newSigners() as [Signer, Signer];
  const bytes = Buffer.from('signed');
  const signature = await mlDsa.sign(bytes);
  assert.ok(verifySignature(mlDsa.key, bytes, signature));
  assert.ok(!verifySignature(ed25519.key, bytes, signature));
  for (const scheme of ['ml-dsa-44/1', 'ml-dsa-65/2', 'ml-dsa-65', 'ed25519']) {
    assert.ok(!verifySignature({ ...mlDsa.key, scheme }, bytes, signature), scheme);
  }
  assert.ok(!verifySignature({ ...mlDsa.key, keytype: 'rsa' }, bytes, signature));
});

test('a new root that the old keys did not sign is refused', async () => {
  const repository = await newRepository();
  repository.keys.root = newSigners();
  await repository.publishRoot();
  await rejectsWith('metadata-signature', () => visit(repository.served, repository.anchor));
});

test('a new root that skips a version is refused', async () => {
  const repository = await newRepository();
  repository.versions.root = 2;
  await repository.publishRoot();
  const served = repository.copy();
  served.metadata.set('2.root.json', served.metadata.get('3.root.json') as Uint8Array);
  await rejectsWith('metadata-version', () => visit(served, repository.anchor));
});

test('rotation: a site three roots behind follows the chain, and a stolen online key is worth nothing after it', async () => {
  const repository = await newRepository();
  const { anchor } = repository;
  const stolen = { snapshot: repository.keys.snapshot, timestamp: repository.keys.timestamp };
  for (let i = 0; i < 3; i++) {
    const before = repository.keys.root;
    repository.keys.root = newSigners();
    repository.keys.snapshot = [newSigner()];
    repository.keys.timestamp = [newSigner()];
    await repository.publishRoot(before);
  }
  await repository.publish({ 'issuers.json': 'keys' }, { 'channel/head': 'after' });
  const store = memoryStore();
  const view = await visit(repository.served, anchor, store);
  assert.equal(view.state.root.content.version, 4);
  assert.equal(Buffer.from((await view.target('channel/head')).bytes).toString(), 'after');
  Object.assign(repository.keys, stolen);
  await repository.publishOnline();
  await rejectsWith('metadata-signature', () => visit(repository.served, anchor, store));
});

test('fast-forward: huge version numbers of a stolen online key do not outlive the rotation of that key', async () => {
  const repository = await newRepository();
  const store = memoryStore();
  repository.versions.timestamp = 1_000_000;
  repository.versions.snapshot = 1_000_000;
  await repository.publishOnline();
  await visit(repository.served, repository.anchor, store);
  repository.keys.timestamp = [newSigner()];
  repository.keys.snapshot = [newSigner()];
  await repository.publishRoot();
  repository.versions.timestamp = 10;
  repository.versions.snapshot = 10;
  await repository.publishOnline();
  const view = await visit(repository.served, repository.anchor, store);
  assert.equal(view.state.timestamp?.content.version, 11);
});

test('a target that is not the signed one is refused and named', async () => {
  const repository = await newRepository();
  for (const [digest, bytes] of repository.served.targets) {
    repository.served.targets.set(digest, Buffer.concat([bytes.subarray(1), Buffer.from('x')]));
  }
  const view = await visit(repository.served, repository.anchor);
  const error = await rejectsWith('target-digest', () => view.target('channel/head'));
  assert.match(error.message, /channel\/head/);
});

test('names of built-in properties are names like any other', async () => {
  const repository = await newRepository();
  const view = await visit(repository.served, repository.anchor);
  for (const name of ['__proto__', 'constructor', 'toString', 'channel/__proto__']) {
    await rejectsWith('target-unknown', () => view.target(name));
  }
});

test('a delegated role signs nothing outside of its paths', async () => {
  const repository = await newRepository();
  await repository.publish({}, { 'issuers.json': 'evil', 'channel/deep/file': 'evil' });
  const view = await visit(repository.served, repository.anchor);
  await rejectsWith('target-unknown', () => view.target('issuers.json'));
  await rejectsWith('target-unknown', () => view.target('channel/deep/file'));
});

test('endless data and missing files are told apart', async () => {
  const repository = await newRepository();
  const large = repository.copy();
  large.metadata.set('timestamp.json', Buffer.alloc(20_000, 'x'));
  await rejectsWith('metadata-too-large', () => visit(large, repository.anchor));
  const empty = repository.copy();
  empty.metadata.delete('timestamp.json');
  await rejectsWith('metadata-missing', () => visit(empty, repository.anchor));
});

test('odd metadata is refused before any signature is looked at', async () => {
  const repository = await newRepository();
  const original = Buffer.from(repository.served.metadata.get('timestamp.json') as Uint8Array).toString();
  const odd = [
    original.replace(/"version":1,/, '"version":-1,'),
    original.replace(/"version":1,/, '"version":1e300,'),
    original.replace(/"expires":"[^"]*"/, '"expires":"Jan 1 2099"'),
    original.replace('"timestamp"', '"snapshot"'),
    original.slice(0, -10),
    '[]',
    'null',
  ];
  for (const text of odd) {
    const served = repository.copy();
    served.metadata.set('timestamp.json', Buffer.from(text));
    await rejectsWith('metadata-malformed', () => visit(served, repository.anchor));
  }
});

test('a damaged trust state is not silently forgotten', async () => {
  const repository = await newRepository();
  const store = memoryStore();
  await visit(repository.served, repository.anchor, store);
  const state = store.saved.at(-1) as NonNullable<ReturnType<typeof store.saved.at>>;
  store.saved.push({ ...state, timestamp: Buffer.from('{') });
  const error = await rejectsWith('trust-state-damaged', () => visit(repository.served, repository.anchor, store));
  assert.equal(error.message, 'The stored trust state of this site does not verify.');
  assert.ok(hasCode(error.cause, 'metadata-malformed'), 'and the log says why');
});
