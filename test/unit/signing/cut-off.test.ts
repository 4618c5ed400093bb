// Attack stories of sites without a network: sticks that lay on a shelf, sticks that somebody changed, and stolen keys.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  fileTrustStore,
  firstExpiry,
  isOffline,
  LIMITS,
  parseMetadata,
  type Repository,
  refresh,
  refreshFromMedium,
  signMetadata,
  standingOf,
  trustRoot,
  updateOfflineSnapshot,
  updateRoot,
} from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import {
  memoryStore,
  NOW,
  newRepository,
  newSigner,
  newSigners,
  type Served,
  sourceOf,
  TestRepository,
} from '../../support/repository.ts';
import { temporary } from '../../support/temporary.ts';

const DAY_MS = 24 * 3600_000;
const STATEMENT = 'offline-snapshot.json';

/** A repository that names who signs the offline snapshot, and has one. Root and targets live longer than the timestamp. */
async function cutOff(): Promise<TestRepository> {
  const repository = new TestRepository();
  repository.offlineKeys = newSigners();
  repository.expiresMs = NOW + 400 * DAY_MS;
  await repository.publishRoot();
  await repository.publish({ 'issuers.json': 'keys' }, { 'channel/head': 'first' });
  repository.expiresMs = NOW + 7 * DAY_MS;
  await repository.publishOnline();
  await repository.publishOffline();
  return repository;
}

const visit = (served: Served, anchor: Uint8Array, store = memoryStore(), nowMs = NOW) =>
  refreshFromMedium(sourceOf(served), store, anchor, nowMs);

async function head(view: Repository): Promise<string> {
  return Buffer.from((await view.target('channel/head')).bytes).toString();
}

test('a fresh stick is read by its timestamp, an old one by its offline snapshot, until that is too old as well', async () => {
  const repository = await cutOff();
  for (const [days, standing] of [
    [0, 'current'],
    [8, 'current'],
    [364, 'current'],
    [365, 'warned'],
    [394, 'warned'],
    [395, 'restricted'],
    [454, 'restricted'],
  ] as const) {
    const view = await visit(repository.served, repository.anchor, memoryStore(), NOW + days * DAY_MS);
    assert.equal(await head(view), 'first');
    assert.equal(standingOf(view.state, NOW + days * DAY_MS), standing, `after ${days} days`);
  }
  await rejectsWith('metadata-expired', () =>
    visit(repository.served, repository.anchor, memoryStore(), NOW + 455 * DAY_MS),
  );
});

test('expired roots and targets are forgiven for as long as the offline snapshot says, and no longer', async () => {
  const repository = await cutOff();
  repository.grace = { warnDays: 1, restrictDays: 1 };
  await repository.publishOffline(NOW + 500 * DAY_MS);
  const at = (days: number) => visit(repository.served, repository.anchor, memoryStore(), NOW + days * DAY_MS);
  assert.equal(standingOf((await at(400)).state, NOW + 400 * DAY_MS), 'warned');
  assert.equal(standingOf((await at(401)).state, NOW + 401 * DAY_MS), 'restricted');
  await rejectsWith('metadata-expired', () => at(402));
});

test('freeze: a connected site is not held back by an offline snapshot in place of a timestamp', async () => {
  const repository = await cutOff();
  await rejectsWith('metadata-expired', () =>
    refresh(sourceOf(repository.served), memoryStore(), repository.anchor, NOW + 8 * DAY_MS),
  );
});

test('stripped root chain: a stick that lacks the newest root is refused, although all that it has is in order', async () => {
  const repository = await cutOff();
  repository.keys.snapshot = [newSigner()];
  await repository.publishRoot();
  await repository.publishOffline();
  const served = repository.copy();
  served.metadata.delete('2.root.json');
  const error = await rejectsWith('root-chain-incomplete', () => visit(served, repository.anchor));
  assert.match(error.message, /ends at root 1, and root 2 has been signed/);
});

test('stripped statement: a stick without an offline snapshot is refused where root names who signs one', async () => {
  const repository = await cutOff();
  repository.served.metadata.delete(STATEMENT);
  await rejectsWith('metadata-missing', () => visit(repository.served, repository.anchor));
  const without = await newRepository();
  assert.equal(await head(await visit(without.served, without.anchor)), 'first');
});

test('forked root: another root of the same version than the one that was stated is refused', async () => {
  const repository = await cutOff();
  const statement = repository.served.metadata.get(STATEMENT) as Uint8Array;
  const fork = new TestRepository();
  Object.assign(fork.keys, repository.keys);
  fork.offlineKeys = repository.offlineKeys;
  await fork.publishRoot();
  await fork.publish({ 'issuers.json': 'keys' }, { 'channel/head': 'first' });
  fork.served.metadata.set(STATEMENT, statement);
  await rejectsWith('metadata-digest', () => visit(fork.served, fork.anchor));
});

test('roots that are newer than the statement are followed', async () => {
  const repository = await cutOff();
  repository.keys.snapshot = [newSigner()];
  await repository.publishRoot();
  await repository.publishOnline();
  const view = await visit(repository.served, repository.anchor);
  assert.equal(view.state.root.content.version, 2);
  assert.equal(await head(view), 'first');
});

test('stolen online keys do not make an old stick young', async () => {
  const repository = await cutOff();
  for (const signers of [repository.keys.timestamp, repository.keys.snapshot, repository.keys.channel]) {
    await repository.publishOffline(NOW + 3650 * DAY_MS, signers);
    await rejectsWith('metadata-signature', () => visit(repository.served, repository.anchor));
  }
});

test('one broken class of algorithms does not sign an offline snapshot', async () => {
  const repository = await cutOff();
  for (const signer of repository.offlineKeys ?? []) {
    await repository.publishOffline(undefined, [signer]);
    await rejectsWith('metadata-signature', () => visit(repository.served, repository.anchor));
  }
});

test('a root that names one class only for the offline snapshot is refused there', async () => {
  const repository = await cutOff();
  repository.offlineKeys = [newSigner()];
  await repository.publishRoot();
  await repository.publishOffline();
  await rejectsWith('metadata-signature', () => visit(repository.served, repository.anchor));
});

test('rollback: an older stick takes back neither what a newer stick nor what the network has brought', async () => {
  const repository = await cutOff();
  const old = repository.copy();
  repository.expiresMs = NOW + 400 * DAY_MS;
  await repository.publish({ 'issuers.json': 'keys' }, { 'channel/head': 'second' });
  await repository.publishOffline();
  for (const first of [refreshFromMedium, refresh]) {
    for (const days of [0, 8]) {
      const store = memoryStore();
      await first(sourceOf(repository.served), store, repository.anchor, NOW);
      const kept = store.saved.at(-1);
      await rejectsWith('metadata-version', () => visit(old, repository.anchor, store, NOW + days * DAY_MS));
      const { timestamp, snapshot } = store.saved.at(-1) ?? {};
      assert.deepEqual({ timestamp, snapshot }, { timestamp: kept?.timestamp, snapshot: kept?.snapshot });
    }
  }
});

test('rollback: an offline snapshot of a later number cannot take a role back, or away', async () => {
  const repository = await cutOff();
  const older = repository.copy();
  repository.expiresMs = NOW + 400 * DAY_MS;
  await repository.publish({ 'issuers.json': 'keys' }, { 'channel/head': 'second' });
  await repository.publishOffline();
  const store = memoryStore();
  await visit(repository.served, repository.anchor, store);
  const signed = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString()).signed;
  const { meta } = signed(older.metadata.get(STATEMENT) as Uint8Array);
  const newest = signed(repository.served.metadata.get(STATEMENT) as Uint8Array);
  const { 'channel.json': _, ...away } = newest.meta;
  for (const changed of [meta, away]) {
    const forged = await signMetadata({ ...newest, version: 9, meta: changed }, repository.offlineKeys ?? []);
    const served = { ...repository.copy() };
    served.metadata.set(STATEMENT, forged);
    await rejectsWith('metadata-version', () => visit(served, repository.anchor, store));
  }
});

test('rollback: what a stick has brought, the network does not take back', async () => {
  const repository = await cutOff();
  const old = repository.copy();
  repository.expiresMs = NOW + 400 * DAY_MS;
  await repository.publish({ 'issuers.json': 'keys' }, { 'channel/head': 'second' });
  await repository.publishOffline();
  repository.served.metadata.delete('timestamp.json');
  const store = memoryStore();
  await rejectsWith('metadata-missing', () => visit(repository.served, repository.anchor, store));
  assert.ok(store.saved.at(-1)?.offlineSnapshot, 'the offline snapshot is known');
  await rejectsWith('metadata-version', () => refresh(sourceOf(old), store, repository.anchor, NOW));
});

test('a new stick whose offline snapshot is not renewed yet is read by its timestamp, by a site that is ahead of it too', async () => {
  const repository = await cutOff();
  repository.expiresMs = NOW + 400 * DAY_MS;
  await repository.publish({ 'issuers.json': 'keys' }, { 'channel/head': 'second' });
  repository.expiresMs = NOW + 7 * DAY_MS;
  await repository.publishOnline();
  const store = memoryStore();
  await refresh(sourceOf(repository.served), store, repository.anchor, NOW);
  assert.equal(await head(await visit(repository.served, repository.anchor, store)), 'second');
  await rejectsWith('metadata-version', () => visit(repository.served, repository.anchor, store, NOW + 8 * DAY_MS));
});

test('mix and match: a stick serves only what its offline snapshot lists', async () => {
  const repository = await cutOff();
  const served = repository.copy();
  repository.expiresMs = NOW + 400 * DAY_MS;
  await repository.publish({ 'issuers.json': 'keys' }, { 'channel/head': 'second' });
  served.metadata.set('1.channel.json', repository.served.metadata.get('2.channel.json') as Uint8Array);
  const view = await visit(served, repository.anchor, memoryStore(), NOW + 8 * DAY_MS);
  await rejectsWith('metadata-digest', () => head(view));
});

test('type confusion: no snapshot passes for an offline snapshot, and no offline snapshot for another role', async () => {
  const repository = await cutOff();
  const served = repository.copy();
  for (const name of ['1.root.json', '2.snapshot.json', '1.targets.json', 'timestamp.json']) {
    served.metadata.set(STATEMENT, served.metadata.get(name) as Uint8Array);
    await rejectsWith('metadata-malformed', () => visit(served, repository.anchor));
  }
  const statement = repository.served.metadata.get(STATEMENT) as Uint8Array;
  for (const type of ['root', 'snapshot', 'targets', 'timestamp'] as const) {
    await rejectsWith('metadata-malformed', async () => parseMetadata(type, statement));
  }
});

test('endless validity: more than a year of grace is refused before any signature is looked at', async () => {
  const repository = await cutOff();
  repository.grace = { warnDays: 300, restrictDays: 67 };
  await repository.publishOffline(undefined, []);
  const error = await rejectsWith('metadata-malformed', () => visit(repository.served, repository.anchor));
  assert.match(error.message, /366 days of grace/);
});

test('new keys for the offline snapshot start afresh, and the old ones count for nothing', async () => {
  const repository = await cutOff();
  const stolen = repository.offlineKeys;
  const store = memoryStore();
  repository.offlineVersion = 1_000_000;
  await repository.publishOffline();
  await visit(repository.served, repository.anchor, store);
  repository.offlineKeys = newSigners();
  await repository.publishRoot();
  await repository.publishOffline(undefined, stolen);
  await rejectsWith('metadata-signature', () => visit(repository.served, repository.anchor, store));
  repository.offlineVersion = 0;
  await repository.publishOffline();
  assert.equal((await visit(repository.served, repository.anchor, store)).state.offlineSnapshot?.content.version, 1);
});

test('what a stick has brought is still known after a restart', async t => {
  const repository = await cutOff();
  const store = fileTrustStore(await temporary(t));
  const late = NOW + 8 * DAY_MS;
  await head(await refreshFromMedium(sourceOf(repository.served), store, repository.anchor, late));
  const files = await store.load();
  assert.deepEqual(files?.offlineSnapshot, repository.served.metadata.get(STATEMENT));
  assert.deepEqual([...(files?.targets.keys() ?? [])], ['targets', 'channel']);
});

test('whichever snapshot was verified last is gone by, and told', async () => {
  const repository = await cutOff();
  const at = async (days: number) =>
    (await visit(repository.served, repository.anchor, undefined, NOW + days * DAY_MS)).state;
  assert.equal(isOffline(await at(0)), false);
  assert.equal(isOffline(await at(8)), true);
  const without = await newRepository();
  assert.equal(isOffline((await visit(without.served, without.anchor)).state), false);
  assert.equal(isOffline(trustRoot(without.anchor)), false);
});

test('what is known holds for as long as the files that are needed: the timestamp only where the offline snapshot is behind', async () => {
  const repository = await cutOff();
  const { state } = await visit(repository.served, repository.anchor);
  assert.equal(firstExpiry(state), NOW + 365 * DAY_MS);
  const more = new Map(state.listed).set('other.json', { version: 1 });
  assert.equal(firstExpiry({ ...state, listed: more }), NOW + 7 * DAY_MS);
  assert.equal(firstExpiry(trustRoot(repository.anchor)), NOW + 400 * DAY_MS);
  const without = await newRepository();
  const online = (await visit(without.served, without.anchor)).state;
  assert.equal(firstExpiry(online), NOW + 30 * DAY_MS);
  assert.equal(standingOf(online, NOW), 'current');
  assert.equal(standingOf(online, NOW + 3000 * DAY_MS), 'warned', 'without a policy, people are told');
});

test('rollback: an offline snapshot of an older number is refused, after a rotation of other keys as well', async () => {
  const repository = await cutOff();
  const old = repository.served.metadata.get(STATEMENT) as Uint8Array;
  const store = memoryStore();
  await repository.publishOffline();
  await visit(repository.served, repository.anchor, store);
  await visit(repository.served, repository.anchor, store);
  const replay = async () => {
    const served = repository.copy();
    served.metadata.set(STATEMENT, old);
    const error = await rejectsWith('metadata-version', () => visit(served, repository.anchor, store));
    assert.match(error.message, /offline-snapshot version 1, but version 2 is already known/);
  };
  await replay();
  repository.keys.snapshot = [newSigner()];
  await repository.publishRoot();
  await repository.publishOnline();
  await replay();
});

test('a root that names nobody any more for the offline snapshot ends it', async () => {
  const repository = await cutOff();
  const { state } = await visit(repository.served, repository.anchor);
  const statement = repository.served.metadata.get(STATEMENT) as Uint8Array;
  repository.offlineKeys = undefined;
  await repository.publishRoot();
  const next = updateRoot(state, repository.served.metadata.get('2.root.json') as Uint8Array);
  assert.equal(next.offlineSnapshot, undefined);
  const error = await rejectsWith('metadata-signature', async () => updateOfflineSnapshot(next, statement));
  assert.match(error.message, /Root 2 names nobody for the role offline-snapshot/);
});

test('refusals name the file that is wrong', async () => {
  const repository = await cutOff();
  const statement = repository.served.metadata.get(STATEMENT) as Uint8Array;
  const late = NOW + 500 * DAY_MS;
  const expired = await rejectsWith('metadata-expired', () =>
    visit(repository.served, repository.anchor, undefined, late),
  );
  assert.match(expired.message, /^The offline-snapshot metadata expired/);
  const large = Buffer.concat([statement, Buffer.alloc(LIMITS.snapshotBytes, ' ')]);
  repository.served.metadata.set(STATEMENT, large);
  const tooLarge = await rejectsWith('metadata-too-large', () => visit(repository.served, repository.anchor));
  assert.match(tooLarge.message, /^The offline-snapshot metadata has/);
  const fork = new TestRepository();
  Object.assign(fork.keys, repository.keys);
  fork.offlineKeys = repository.offlineKeys;
  await fork.publishRoot();
  const forked = await rejectsWith('metadata-digest', async () =>
    updateOfflineSnapshot(trustRoot(fork.anchor), statement),
  );
  assert.match(forked.message, /^The root metadata is not/);
});
