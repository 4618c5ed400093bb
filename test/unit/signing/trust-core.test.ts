// The core, asked by a caller that has the order or the delegator wrong: it answers for itself what may follow from what.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS, RolloverError, refresh, STANDARD, type TrustedState, updateTargets } from '../../../signing/index.ts';
import { lookUp } from '../../../signing/lookup.ts';
import { trustRoot, updateSnapshot } from '../../../signing/trust.ts';
import { RawRepository, rawSource } from '../../support/raw-repository.ts';
import { memoryStore, NOW, newSigner } from '../../support/repository.ts';

const key = newSigner();
const other = newSigner();

/** Roles `a` and `b`, which both delegate to `shared`, and one key for all of them but for `b`'s word on it. */
async function rawRepository(): Promise<RawRepository> {
  const repository = new RawRepository(key, NOW);
  // Promises of versions only: two files that are signed under one version both fit them.
  repository.algorithms = [];
  const names = ['a', 'b'];
  repository.role('targets').delegations = names.map(name => ({ name, keys: [key], paths: ['*'] }));
  repository.addRole('a', [key]).delegations = [{ name: 'shared', keys: [key], paths: ['*'] }];
  repository.addRole('b', [key]).delegations = [{ name: 'shared', keys: [other], paths: ['*'] }];
  repository.addRole('shared', [key, other]);
  await repository.publish('root', 'shared', 'a', 'b', 'targets', 'snapshot', 'timestamp');
  return repository;
}

async function refreshed(repository: RawRepository): Promise<TrustedState> {
  return (await refresh(rawSource(repository), memoryStore(), repository.anchor, NOW, STANDARD)).state;
}

function loaded(state: TrustedState, repository: RawRepository, role: string, delegator: string): TrustedState {
  return updateTargets(state, role, delegator, fileOf(repository, role), NOW);
}

function fileOf(repository: RawRepository, role: string): Uint8Array {
  return repository.files.get(`metadata/1.${role}.json`) as Uint8Array;
}

test('a file comes after the ones that promise it', async () => {
  const repository = await rawRepository();
  const anchored = trustRoot(repository.anchor, STANDARD);
  assert.throws(
    () => updateSnapshot(anchored, fileOf(repository, 'snapshot'), NOW),
    new Error('updateTimestamp has to come before updateSnapshot'),
  );
  throwsWith('metadata-missing', /list the role targets/, () => loaded(anchored, repository, 'targets', 'root'));
  assert.deepEqual(lookUp(anchored, 'file'), { status: 'needs-role', role: 'targets', delegator: 'root' });
});

test('the first root has a size like every later one', () => {
  const message = /^The root metadata has/;
  throwsWith('metadata-too-large', message, () => trustRoot(Buffer.alloc(LIMITS.rootBytes + 1), STANDARD));
});

test('the keys of root vouch for the top-level targets alone, and for these nobody else does', async () => {
  const repository = await rawRepository();
  const state = loaded(await refreshed(repository), repository, 'a', 'targets');
  for (const [role, delegator] of [
    ['a', 'root'],
    ['targets', 'a'],
    ['a', 'nobody'],
    ['b', 'a'],
  ] as const) {
    const message = new RegExp(`^${delegator} does not delegate to ${role}\\.$`);
    throwsWith('metadata-signature', message, () => loaded(state, repository, role, delegator));
  }
});

test('what one delegator has vouched for is remembered beside the word of another, for the very same bytes only', async () => {
  const repository = await rawRepository();
  let state = await refreshed(repository);
  for (const role of ['a', 'b']) state = loaded(state, repository, role, 'targets');
  const byA = loaded(state, repository, 'shared', 'a');
  assert.deepEqual(delegatorsOfShared(byA), ['a']);
  assert.deepEqual(delegatorsOfShared(loaded(byA, repository, 'shared', 'b')), ['a', 'b']);

  // The holder of b's key signs something else under the same version.
  repository.role('shared').signers = [other];
  repository.role('shared').version = 0;
  repository.role('shared').targets.set('file', Buffer.from('forged'));
  await repository.publish('shared');
  assert.deepEqual(delegatorsOfShared(loaded(byA, repository, 'shared', 'b')), ['b'], 'a has not seen this file');
});

function delegatorsOfShared(state: TrustedState): readonly string[] {
  return [...(state.targets.get('shared')?.delegators ?? [])];
}

function throwsWith(code: string, message: RegExp, work: () => unknown): void {
  assert.throws(work, error => {
    assert.ok(error instanceof RolloverError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}
