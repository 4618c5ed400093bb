// What a refusal says: which file, what was offered, and what it was held against. An operator and a log have only this sentence.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS, refresh, STANDARD } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { type RawMeta, RawRepository, rawSource } from '../../support/raw-repository.ts';
import { memoryStore, NOW, newSigner } from '../../support/repository.ts';

const key = newSigner();
const stranger = newSigner();
const ONLINE = ['snapshot', 'timestamp'] as const;
const ALL = ['child', 'targets', ...ONLINE] as const;

/** By what is said: the code, and what the source has done to a site that knows root 1 and version 5 of everything else. */
const REFUSALS: Readonly<Record<string, readonly [code: string, attack: (repository: RawRepository) => unknown]>> = {
  [`The root metadata has ${LIMITS.rootBytes + 1} bytes; at most ${LIMITS.rootBytes} are allowed.`]: [
    'metadata-too-large',
    ({ files }) => files.set('metadata/2.root.json', Buffer.alloc(LIMITS.rootBytes + 1)),
  ],
  [`The timestamp metadata has ${LIMITS.timestampBytes + 1} bytes; at most ${LIMITS.timestampBytes} are allowed.`]: [
    'metadata-too-large',
    ({ files }) => files.set('metadata/timestamp.json', Buffer.alloc(LIMITS.timestampBytes + 1)),
  ],
  'The snapshot metadata has 101 bytes; at most 100 are allowed.': [
    'metadata-too-large',
    repository => promiseSnapshot(repository, Buffer.alloc(101), { version: 6, length: 100 }),
  ],
  'The snapshot metadata is not the one that was signed.': [
    'metadata-digest',
    repository => promiseSnapshot(repository, Buffer.alloc(100), { version: 6, hashes: { sha256: 'ab'.repeat(32) } }),
  ],
  'The source offers root version 3, but the next root has to be version 2.': [
    'metadata-version',
    async repository => {
      repository.role('root').version = 2;
      await repository.publish('root');
      repository.files.set('metadata/2.root.json', repository.files.get('metadata/3.root.json') as Uint8Array);
    },
  ],
  'The source offers timestamp version 3, but version 5 is already known.': [
    'metadata-version',
    repository => publishAs(repository, 3, 'timestamp'),
  ],
  'The source offers snapshot in the timestamp version 3, but snapshot 5 is already known.': [
    'metadata-version',
    async repository => {
      await publishAs(repository, 3, 'snapshot');
      await repository.publish('timestamp');
    },
  ],
  'The source offers snapshot version 7, but version 6 was promised.': [
    'metadata-version',
    async repository => {
      await publishAs(repository, 7, 'snapshot');
      const seventh = repository.files.get('metadata/7.snapshot.json') as Uint8Array;
      await promiseSnapshot(repository, seventh, { version: 6 });
    },
  ],
  'The source offers child.json version 3, but version 5 is already known.': [
    'metadata-version',
    async repository => {
      await publishAs(repository, 3, 'child');
      await repository.publish(...ONLINE);
    },
  ],
  'The source offers child.json, but the new snapshot no longer lists it.': [
    'metadata-version',
    async repository => {
      repository.listed.delete('child');
      await repository.publish(...ONLINE);
    },
  ],
  'The snapshot does not list the role unlisted.': [
    'metadata-missing',
    async repository => {
      repository.role('targets').delegations = [{ name: 'unlisted', keys: [key], paths: ['child/*'] }];
      await repository.publish('targets', ...ONLINE);
    },
  ],
  'The child metadata has 0 valid signatures of trusted keys and needs 1.': [
    'metadata-signature',
    async repository => {
      repository.role('child').signers = [stranger];
      await repository.publish(...ALL);
    },
  ],
  'The child metadata has 1 valid signature of trusted keys and needs 2.': [
    'metadata-signature',
    async repository => {
      const keys = [key, stranger];
      repository.role('targets').delegations = [{ name: 'child', keys, threshold: 2, paths: ['child/*'] }];
      await repository.publish(...ALL);
    },
  ],
  'The targets metadata has 0 valid signatures of trusted keys and needs 1.': [
    'metadata-signature',
    async repository => {
      repository.trusted.targets = { keys: [], threshold: 1 };
      await repository.publish('root', ...ALL);
    },
  ],
};

test('a refusal names the file, what was offered, and what was known or promised', async () => {
  for (const [message, [code, attack]] of Object.entries(REFUSALS)) {
    const repository = await rawRepository();
    const store = memoryStore();
    await visit(repository, store);
    await attack(repository);
    const error = await rejectsWith(code, () => visit(repository, store));
    assert.equal(error.message, message);
  }
});

async function rawRepository(): Promise<RawRepository> {
  const repository = new RawRepository(key, NOW);
  // Promises of versions only: what is refused above is not refused for its digest.
  repository.algorithms = [];
  repository.role('targets').delegations = [{ name: 'child', keys: [key], paths: ['child/*'] }];
  repository.addRole('child', [key]).targets.set('child/file', Buffer.from('content'));
  await repository.publish('root');
  await publishAs(repository, 5, ...ALL);
  return repository;
}

async function publishAs(repository: RawRepository, version: number, ...names: readonly string[]): Promise<void> {
  for (const name of names) repository.role(name).version = version - 1;
  await repository.publish(...names);
}

/** The timestamp promises a sixth snapshot, which is served as these bytes. */
async function promiseSnapshot(repository: RawRepository, bytes: Uint8Array, promise: RawMeta): Promise<void> {
  repository.files.set('metadata/6.snapshot.json', bytes);
  repository.snapshotMeta = promise;
  await repository.publish('timestamp');
}

async function visit(repository: RawRepository, store: ReturnType<typeof memoryStore>) {
  const view = await refresh(rawSource(repository), store, repository.anchor, NOW, STANDARD);
  return view.target('child/file');
}
