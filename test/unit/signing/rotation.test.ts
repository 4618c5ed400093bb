// Rotations of the online keys (TUF 1.0.31, section 5.3.11): which change of root ends a fast-forward attack, which one does
// not open the door to a rollback, and what is left of a rotation that is cut off in the middle.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateSigningKey, refresh, type Signer, STANDARD, signerOf } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { RawRepository, rawSource } from '../../support/raw-repository.ts';
import { memoryStore, NOW, newSigner } from '../../support/repository.ts';

/** Whom root names for the two online roles. */
interface Online {
  readonly timestamp?: readonly Signer[];
  readonly snapshot?: readonly Signer[];
  /** Of the timestamp. */
  readonly threshold?: number;
}

const [vault, a, b, c] = [newSigner(), newSigner(), newSigner(), newSigner()];
const mlDsa = signerOf(generateSigningKey('ml-dsa-65/1'));
const named = (signer: Signer, keyId: string): Signer => ({ ...signer, keyId });

const SAME_SIGNERS: Readonly<Record<string, readonly [Online, Online]>> = {
  'nothing has changed': [{}, {}],
  'the keys are listed in another order': [{ timestamp: [a, b] }, { timestamp: [b, a] }],
};

const OTHER_SIGNERS: Readonly<Record<string, readonly [Online, Online]>> = {
  'another timestamp key': [{}, { timestamp: [b] }],
  'another snapshot key': [{}, { snapshot: [b] }],
  'another timestamp key, and the old one stays for snapshots': [{ snapshot: [a] }, { timestamp: [b], snapshot: [a] }],
  'another key under the same id': [{ timestamp: [named(a, 'online')] }, { timestamp: [named(b, 'online')] }],
  'one of two keys replaced': [{ timestamp: [a, b] }, { timestamp: [a, c] }],
  'a key taken away': [{ timestamp: [a, b] }, { timestamp: [b] }],
  'a key added': [{}, { timestamp: [a, b] }],
  'a key of the other class added': [{}, { timestamp: [a, mlDsa] }],
  'a higher threshold': [{ timestamp: [a, b] }, { timestamp: [a, b], threshold: 2 }],
  'a lower threshold': [{ timestamp: [a, b], threshold: 2 }, { timestamp: [a, b] }],
};

test('fast-forward: any change of who signs online ends it, and versions start afresh', async () => {
  for (const [what, [before, after]] of Object.entries(OTHER_SIGNERS)) {
    const { repository, store } = await fastForwarded(before);
    await rotate(repository, after);
    await publishOnline(repository, 10);
    const { state } = await visit(repository, store);
    assert.deepEqual([state.timestamp?.content.version, state.snapshot?.content.version], [10, 10], what);
    await visit(repository, store);
  }
});

test('rollback: a new root with the same online signers gives no version away', async () => {
  for (const [what, [before, after]] of Object.entries(SAME_SIGNERS)) {
    const { repository, store } = await fastForwarded(before);
    await rotate(repository, after);
    await publishOnline(repository, 10);
    await rejectsWith('metadata-version', () => visit(repository, store));
    assert.ok(store.saved.at(-1)?.timestamp, what);
  }
});

test('a rotation that the source cuts off behind its root leaves a state that the site can go on from', async () => {
  for (const [what, [before, after]] of Object.entries({ ...SAME_SIGNERS, ...OTHER_SIGNERS })) {
    const { repository, store } = await fastForwarded(before);
    await rotate(repository, after);
    repository.files.delete('metadata/timestamp.json');
    await rejectsWith('metadata-missing', () => visit(repository, store));
    await publishOnline(repository, 2_000_000);
    const { state } = await visit(repository, store);
    assert.equal(state.timestamp?.content.version, 2_000_000, what);
  }
});

/** A site that has seen huge versions, signed with stolen online keys. */
async function fastForwarded(online: Online) {
  const repository = new RawRepository(vault, NOW);
  const store = memoryStore();
  await rotate(repository, online);
  await repository.publish('targets');
  await publishOnline(repository, 1_000_000);
  await visit(repository, store);
  return { repository, store };
}

async function rotate(repository: RawRepository, online: Online): Promise<void> {
  const { timestamp = [a], snapshot = [c], threshold = 1 } = online;
  Object.assign(repository.trusted, {
    timestamp: { keys: timestamp, threshold },
    snapshot: { keys: snapshot, threshold: 1 },
  });
  repository.role('timestamp').signers = timestamp;
  repository.role('snapshot').signers = snapshot;
  await repository.publish('root');
}

async function publishOnline(repository: RawRepository, version: number): Promise<void> {
  for (const role of ['snapshot', 'timestamp']) repository.role(role).version = version - 1;
  await repository.publish('snapshot', 'timestamp');
}

/** Each class of keys has to sign, as in our own repositories. */
function visit(repository: RawRepository, store: ReturnType<typeof memoryStore>) {
  const policy = { ...STANDARD, threshold: 'per-class' } as const;
  return refresh(rawSource(repository), store, repository.anchor, NOW, policy);
}
