// Exhaustion: what a hostile source, or the holder of one stolen key, can make a site read, keep, compute and remember.
import assert from 'node:assert/strict';
import crypto, { randomBytes } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { type TestContext, test } from 'node:test';
import { LIMITS, type MetadataSource, refresh, STANDARD } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { askingSource, RawRepository, rawSource } from '../../support/raw-repository.ts';
import { memoryStore, NOW, newSigner } from '../../support/repository.ts';

const key = newSigner();

async function rawRepository(): Promise<RawRepository> {
  const repository = new RawRepository(key, NOW);
  repository.role('targets').targets.set('file', Buffer.from('content'));
  await repository.publish('root', 'targets', 'snapshot', 'timestamp');
  return repository;
}

function visit(repository: RawRepository, source: MetadataSource = rawSource(repository), store = memoryStore()) {
  return refresh(source, store, repository.anchor, NOW, STANDARD);
}

test('endless data: every file is asked for with the least cap that is known of it', async () => {
  const repository = await rawRepository();
  const source = askingSource(repository);
  await (await visit(repository, source)).target('file');
  const length = (name: string) => repository.files.get(`metadata/${name}`)?.length;
  assert.deepEqual(source.asked.slice(0, -1), [
    ['2.root.json', LIMITS.rootBytes],
    ['timestamp.json', LIMITS.timestampBytes],
    ['1.snapshot.json', length('1.snapshot.json')],
    ['1.targets.json', length('1.targets.json')],
  ]);
  assert.equal(source.asked.at(-1)?.[1], 'content'.length);
});

test('endless data: a promise of a terabyte by a stolen key does not raise the cap', async () => {
  const terabyte = 2 ** 40;
  const repository = await rawRepository();
  repository.listed.set('targets', { version: 1, length: terabyte });
  await repository.publish('snapshot');
  repository.snapshotMeta = { version: 2, length: terabyte };
  await repository.publish('timestamp');
  const source = askingSource(repository);
  await rejectsWith('metadata-digest', () => visit(repository, source));
  assert.deepEqual(source.asked.at(-1), ['2.snapshot.json', LIMITS.snapshotBytes]);
  repository.snapshotMeta = { version: 2 };
  await repository.publish('timestamp');
  await rejectsWith('metadata-digest', () => visit(repository, source));
  assert.deepEqual(source.asked.at(-1), ['1.targets.json', LIMITS.targetsBytes]);

  repository.role('targets').fields = { targets: { big: { length: terabyte, hashes: { sha256: 'ab'.repeat(32) } } } };
  await repository.publish('targets', 'snapshot', 'timestamp');
  const view = await visit(repository, source);
  const before = source.asked.length;
  await rejectsWith('metadata-too-large', () => view.target('big'));
  assert.equal(source.asked.length, before, 'not even asked for');
});

test('endless data: a source that gives more than it was asked for is refused, whatever the file', async () => {
  for (const name of ['2.root.json', 'timestamp.json', '1.snapshot.json', '1.targets.json']) {
    const repository = await rawRepository();
    repository.files.set(`metadata/${name}`, Buffer.alloc(LIMITS.rootBytes + 1, ' '));
    await rejectsWith('metadata-too-large', () => visit(repository));
  }
});

test('endless delegations: a chain ends at its depth, a crowd of roles at the number of visits', async () => {
  const chain = await rawRepository();
  for (let i = 0; i < 40; i++) {
    const parent = chain.role(i === 0 ? 'targets' : `r${i - 1}`);
    parent.delegations = [{ name: `r${i}`, keys: [key], paths: ['*'] }];
    chain.addRole(`r${i}`, [key]);
  }
  const links = [...chain.roles.keys()].filter(name => name.startsWith('r') && name !== 'root');
  await chain.publish(...links, 'targets', 'snapshot', 'timestamp');
  assert.equal(await rolesAskedFor(chain), LIMITS.delegationDepth);

  const crowd = await rawRepository();
  const names = Array.from({ length: 200 }, (_, i) => `r${i}`);
  crowd.role('targets').delegations = names.map(name => ({ name, keys: [key], paths: ['*'] }));
  for (const name of names) crowd.addRole(name, [key]);
  await crowd.publish(...names, 'targets', 'snapshot', 'timestamp');
  assert.equal(await rolesAskedFor(crowd), LIMITS.rolesVisited - 1);
});

test('endless delegations: a circle is walked once', async () => {
  const repository = await rawRepository();
  const to = (name: string) => [{ name, keys: [key], paths: ['*'] }];
  repository.role('targets').delegations = to('a');
  repository.addRole('a', [key]).delegations = to('b');
  repository.addRole('b', [key]).delegations = to('a');
  await repository.publish('a', 'b', 'targets', 'snapshot', 'timestamp');
  assert.equal(await rolesAskedFor(repository), 2);
  await (await visit(repository)).loadAllRoles();
});

test('endless delegations: roles that all delegate to each other are walked once each, not once for each way', async () => {
  const repository = await rawRepository();
  const names = Array.from({ length: 20 }, (_, i) => `r${i}`);
  const toAll = names.map(name => ({ name, keys: [key], paths: ['*'] }));
  repository.role('targets').delegations = toAll;
  for (const name of names) repository.addRole(name, [key]).delegations = toAll;
  await repository.publish(...names, 'targets', 'snapshot', 'timestamp');
  // There are 20^8 ways: to walk them would not end within the life of this test.
  assert.equal(await rolesAskedFor(repository), names.length);
});

test('endless rotations: a site follows a bounded number of roots, keeps them, and goes on from there', async () => {
  const repository = await rawRepository();
  for (let i = 0; i < LIMITS.rootRotations + 1; i++) await repository.publish('root');
  const source = askingSource(repository);
  const store = memoryStore();
  await rejectsWith('metadata-too-large', () => visit(repository, source, store));
  assert.equal(source.asked.length, LIMITS.rootRotations);
  const view = await visit(repository, source, store);
  assert.equal(view.state.root.content.version, LIMITS.rootRotations + 2);
});

test('twenty thousand signatures or keys: refused before a single one is verified', async t => {
  const repository = await rawRepository();
  const signed = JSON.parse(Buffer.from(repository.files.get('metadata/1.targets.json') as Uint8Array).toString());
  const forged = Array.from({ length: 20_000 }, (_, i) => ({ keyid: `${i}`, sig: 'ab'.repeat(64) }));
  const many = Buffer.from(JSON.stringify({ ...signed, signatures: [...forged, ...signed.signatures] }));
  repository.serve('targets', 1, many);
  await repository.publish('snapshot', 'timestamp');
  const count = countVerifications(t);
  await rejectsWith('metadata-malformed', () => visit(repository));
  const online = count();
  assert.equal(online, 3, 'root, timestamp and snapshot');

  const keys = Object.fromEntries(forged.map(({ keyid }) => [keyid, key.key]));
  repository.role('targets').fields = { delegations: { keys, roles: [] } };
  await repository.publish('targets', 'snapshot', 'timestamp');
  await rejectsWith('metadata-malformed', () => visit(repository));
  assert.equal(count() - online, 3);
});

test('many bad signatures of many trusted keys cost one verification each, and good ones stop the count', async t => {
  const keys = Array.from({ length: LIMITS.signatures }, newSigner);
  const repository = await rawRepository();
  repository.trusted.targets = { keys, threshold: 2 };
  repository.role('targets').signers = keys;
  await repository.publish('root', 'targets', 'snapshot', 'timestamp');
  const count = countVerifications(t);
  await visit(repository);
  const good = count();
  assert.equal(good, 7, 'two roots, the second by two; timestamp, snapshot, and two of the keys');

  const file = JSON.parse(Buffer.from(repository.files.get('metadata/2.targets.json') as Uint8Array).toString());
  for (const signature of file.signatures) signature.sig = randomBytes(64).toString('hex');
  repository.serve('targets', 2, Buffer.from(JSON.stringify(file)));
  await repository.publish('snapshot', 'timestamp');
  await rejectsWith('metadata-signature', () => visit(repository));
  assert.equal(count() - good, LIMITS.signatures + 5);
});

test('one key under many ids costs one verification, and counts once', async t => {
  const ids = Array.from({ length: 20 }, (_, i) => ({ ...key, keyId: `${i}` }));
  const repository = await rawRepository();
  repository.trusted.targets = { keys: ids, threshold: 2 };
  repository.role('targets').signers = ids;
  await repository.publish('root', 'targets', 'snapshot', 'timestamp');
  const count = countVerifications(t);
  const error = await rejectsWith('metadata-signature', () => visit(repository));
  assert.match(error.message, /has 1 valid signature of/);
  assert.equal(count(), 6, 'two roots, the second by two; timestamp and snapshot; the key');
});

test('a pattern with thousands of stars does not multiply the time of a match', async () => {
  const repository = await rawRepository();
  repository.role('targets').delegations = [{ name: 'a', keys: [key], paths: [`${'*a'.repeat(2000)}b`] }];
  repository.addRole('a', [key]);
  await repository.publish('a', 'targets', 'snapshot', 'timestamp');
  const view = await visit(repository);
  // A match that tries every split would not end within the life of this test.
  await rejectsWith('target-unknown', () => view.target('a'.repeat(4000)));
});

async function rolesAskedFor(repository: RawRepository): Promise<number> {
  const source = askingSource(repository);
  const view = await visit(repository, source);
  const before = source.asked.length;
  await rejectsWith('target-unknown', () => view.target('nowhere'));
  return source.asked.length - before;
}

/** Counts calls of Node's own `verify`, which every algorithm ends in. */
function countVerifications(t: TestContext): () => number {
  const { mock } = t.mock.method(crypto, 'verify');
  syncBuiltinESMExports();
  t.after(() => {
    mock.restore();
    syncBuiltinESMExports();
  });
  return () => mock.callCount();
}
