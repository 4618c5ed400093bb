// Freeze and rollback, role by role: each file dies on its own day, and each version only goes up.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refresh, STANDARD } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { RawRepository, rawSource } from '../../support/raw-repository.ts';
import { memoryStore, NOW, newSigner } from '../../support/repository.ts';

const DAY_MS = 24 * 3600_000;
const ORDER = ['root', 'child', 'targets', 'snapshot', 'timestamp'] as const;
const key = newSigner();

async function rawRepository(): Promise<RawRepository> {
  const repository = new RawRepository(key, NOW);
  // Promises of versions only: what is refused below is not refused for its digest.
  repository.algorithms = [];
  repository.role('targets').delegations = [{ name: 'child', keys: [key], paths: ['child/*'] }];
  repository.addRole('child', [key]).targets.set('child/file', Buffer.from('content'));
  for (const role of repository.roles.values()) role.version = 4;
  repository.role('root').version = 0;
  await repository.publish(...ORDER);
  return repository;
}

async function visit(repository: RawRepository, store = memoryStore(), nowMs = NOW) {
  const view = await refresh(rawSource(repository), store, repository.anchor, nowMs, STANDARD);
  return view.target('child/file');
}

test('freeze: each role alone can have expired, to the second', async () => {
  for (const name of ORDER) {
    const repository = await rawRepository();
    for (const [role, { expiresMs }] of repository.roles) {
      repository.role(role).expiresMs = expiresMs + (role === name ? 0 : DAY_MS);
    }
    await repository.publish(...ORDER);
    await visit(repository, memoryStore(), NOW + DAY_MS - 1);
    const error = await rejectsWith('metadata-expired', () => visit(repository, memoryStore(), NOW + DAY_MS));
    assert.match(error.message, new RegExp(`^The ${name} `));
  }
});

test('freeze: a stored timestamp is not believed for longer because the source has no newer one', async () => {
  const repository = await rawRepository();
  const store = memoryStore();
  await visit(repository, store);
  repository.role('root').expiresMs += DAY_MS;
  await repository.publish('root');
  const error = await rejectsWith('metadata-expired', () => visit(repository, store, NOW + DAY_MS));
  assert.match(error.message, /^The timestamp metadata expired at 2026-11-24T12:00:00/);
});

test('a timestamp that is renewed over the same snapshot keeps a site alive', async () => {
  const repository = await rawRepository();
  const store = memoryStore();
  await visit(repository, store);
  const before = store.saved.at(-1);
  await repository.publish('timestamp');
  await visit(repository, store);
  assert.notDeepEqual(store.saved.at(-1)?.timestamp, before?.timestamp);
  assert.deepEqual(store.saved.at(-1)?.snapshot, before?.snapshot);
});

test('rollback: each version alone is refused when it goes back, whoever signs it', async () => {
  for (const name of ['child', 'targets', 'snapshot', 'timestamp']) {
    const repository = await rawRepository();
    const store = memoryStore();
    await visit(repository, store);
    const before = store.saved.at(-1);
    repository.role(name).version -= 2;
    await repository.publish(...ORDER.slice(1));
    await rejectsWith('metadata-version', () => visit(repository, store));
    assert.deepEqual(store.saved.at(-1)?.snapshot, before?.snapshot, name);
  }
});

test('rollback: a role that the snapshot listed cannot vanish from it', async () => {
  const repository = await rawRepository();
  const store = memoryStore();
  await visit(repository, store);
  repository.listed.delete('child');
  await repository.publish('snapshot', 'timestamp');
  await rejectsWith('metadata-version', () => visit(repository, store));
});

test('rollback: the same version of the timestamp, signed over something else, changes nothing', async () => {
  const repository = await rawRepository();
  const store = memoryStore();
  await visit(repository, store);
  const before = store.saved.at(-1);
  repository.snapshotMeta = { version: 99 };
  repository.role('timestamp').version--;
  await repository.publish('timestamp');
  await visit(repository, store);
  assert.deepEqual(store.saved.at(-1)?.timestamp, before?.timestamp);
});

test('a key whose content changes under the same id is a rotation: the site starts its versions afresh and lives', async () => {
  const named = (signer: typeof key) => ({ ...signer, keyId: 'online' });
  const repository = await rawRepository();
  for (const signer of [newSigner(), newSigner()]) {
    repository.trusted.timestamp = { keys: [named(signer)], threshold: 1 };
    repository.role('timestamp').signers = [named(signer)];
    repository.role('timestamp').version = 0;
    await repository.publish('root', 'timestamp');
  }
  const store = memoryStore();
  await visit(repository, store);
  await visit(repository, store);
  const latest = newSigner();
  repository.trusted.timestamp = { keys: [named(latest)], threshold: 1 };
  repository.role('timestamp').signers = [named(latest)];
  await repository.publish('root', 'timestamp');
  await visit(repository, store);
  await visit(repository, store);
});
