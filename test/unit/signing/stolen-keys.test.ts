// Every single role compromised: what each stolen key can do, and what it cannot. The thief also controls the network.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refresh, type Signer } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import {
  memoryStore,
  NOW,
  newRepository,
  newSigner,
  newSigners,
  type Served,
  sourceOf,
  type TestRepository,
} from '../../support/repository.ts';

const DAY_MS = 24 * 3600_000;
const ROLES = ['root', 'targets', 'snapshot', 'timestamp', 'channel'] as const;
type Role = (typeof ROLES)[number];

/** A repository that looks like the honest one and is signed with keys of the thief's own, but for the stolen ones. */
async function thiefOf(honest: TestRepository, ...stolen: readonly Role[]): Promise<TestRepository> {
  const thief = await newRepository();
  for (const role of stolen) thief.keys[role] = honest.keys[role];
  Object.assign(thief.versions, honest.versions);
  return thief;
}

/** The thief's files over the honest ones, the honest root first of all: the site has it. */
function seenBySite(honest: TestRepository, thief: TestRepository): Served {
  const served = thief.copy();
  for (const [name, bytes] of honest.served.metadata) if (name.endsWith('.root.json')) served.metadata.set(name, bytes);
  for (const [digest, bytes] of honest.served.targets) served.targets.set(digest, bytes);
  return served;
}

async function read(served: Served, anchor: Uint8Array, path: string, nowMs = NOW, store = memoryStore()) {
  const view = await refresh(sourceOf(served), store, anchor, nowMs);
  return Buffer.from((await view.target(path)).bytes).toString();
}

test('no single stolen role but targets of its own paths puts new software on a site', async () => {
  for (const role of ROLES) {
    const honest = await newRepository();
    const thief = await thiefOf(honest, role);
    await thief.publish({ 'issuers.json': 'forged' }, { 'channel/head': 'forged' });
    for (const path of ['issuers.json', 'channel/head']) {
      await rejectsWith('metadata-signature', () => read(seenBySite(honest, thief), honest.anchor, path));
    }
  }
});

test('stolen timestamp and snapshot: old software stays old, and new software cannot be made', async () => {
  const honest = await newRepository();
  const thief = await thiefOf(honest, 'timestamp', 'snapshot');
  await thief.publish({ 'issuers.json': 'forged' }, { 'channel/head': 'forged' });
  await rejectsWith('metadata-signature', () => read(seenBySite(honest, thief), honest.anchor, 'issuers.json'));
});

test('a stolen timestamp key can hide news as long as it is not rotated, and no longer', async () => {
  const honest = await newRepository();
  const frozen = honest.copy();
  await honest.publish({ 'issuers.json': 'keys' }, { 'channel/head': 'security fix' });
  const later = NOW + 29 * DAY_MS;
  assert.equal(
    await read(frozen, honest.anchor, 'channel/head', later),
    'first',
    'hidden from a site that never saw it',
  );
  honest.keys.timestamp = [newSigner()];
  await honest.publishRoot();
  const root = honest.served.metadata.get('2.root.json') as Uint8Array;
  frozen.metadata.set('2.root.json', root);
  await rejectsWith('metadata-signature', () => read(frozen, honest.anchor, 'channel/head', later));
});

test('a stolen timestamp key alone cannot name a snapshot that the snapshot key has not signed', async () => {
  const honest = await newRepository();
  const thief = await thiefOf(honest, 'timestamp');
  await thief.publishOnline();
  await rejectsWith('metadata-signature', () => read(seenBySite(honest, thief), honest.anchor, 'issuers.json'));
});

test('a stolen snapshot key alone publishes nothing: the timestamp names another file', async () => {
  const honest = await newRepository();
  const thief = await thiefOf(honest, 'snapshot');
  await thief.publishOnline();
  const served = honest.copy();
  served.metadata.set('1.snapshot.json', thief.served.metadata.get('2.snapshot.json') as Uint8Array);
  await rejectsWith('metadata-digest', () => read(served, honest.anchor, 'issuers.json'));
});

test('a stolen targets key alone publishes nothing: the snapshot names another file', async () => {
  const honest = await newRepository();
  const thief = await thiefOf(honest, 'targets');
  await thief.publish({ 'issuers.json': 'forged' });
  const served = honest.copy();
  served.metadata.set('1.targets.json', thief.served.metadata.get('2.targets.json') as Uint8Array);
  await rejectsWith('metadata-digest', () => read(served, honest.anchor, 'issuers.json'));
});

test('a stolen channel key with the online keys: that channel is lost, and nothing outside of it', async () => {
  const honest = await newRepository();
  const channel = await thiefOf(honest, 'channel', 'snapshot', 'timestamp', 'targets');
  await channel.publish({ 'issuers.json': 'keys' }, { 'channel/head': 'forged', 'issuers.json': 'x', 'other/y': 'y' });
  const served = seenBySite(honest, channel);
  assert.equal(await read(served, honest.anchor, 'channel/head'), 'forged');
  assert.equal(await read(served, honest.anchor, 'issuers.json'), 'keys', 'the top level answers first');
  await rejectsWith('target-unknown', () => read(served, honest.anchor, 'other/y'));
});

test('a stolen channel key is worth nothing once the delegation names another one', async () => {
  const honest = await newRepository();
  const stolen = honest.keys.channel;
  honest.keys.channel = newSigners();
  honest.channelSigners = stolen;
  await honest.publish({ 'issuers.json': 'keys' }, { 'channel/head': 'forged' });
  await rejectsWith('metadata-signature', () => read(honest.served, honest.anchor, 'channel/head'));
});

test('one of two root keys cannot rotate anything', async () => {
  const honest = await newRepository();
  honest.keys.root = [...honest.keys.root, ...newSigners()];
  honest.thresholds.root = 2;
  await honest.publishRoot();
  const stolen = honest.keys.root.slice(0, 2);
  honest.keys.root = newSigners();
  honest.thresholds.root = 1;
  await honest.publishRoot(stolen);
  await rejectsWith('metadata-signature', () => read(honest.served, honest.anchor, 'issuers.json'));
});

test('stolen root keys own the site from then on: this is what the threshold and the vault are for', async () => {
  const honest = await newRepository();
  const before: readonly Signer[] = honest.keys.root;
  const thief = await thiefOf(honest);
  await thief.publishRoot(before);
  await thief.publish({ 'issuers.json': 'forged' });
  const served = thief.copy();
  served.metadata.set('1.root.json', honest.anchor);
  assert.equal(await read(served, honest.anchor, 'issuers.json'), 'forged');
});

test('wrong target: a name that is signed is never answered with another one that is signed too', async () => {
  const honest = await newRepository();
  await honest.publish({ 'v1.json': 'old', 'v2.json': 'new' });
  const source = sourceOf(honest.served);
  const digests = [...honest.served.targets.keys()];
  const confused = { ...source, target: async () => honest.served.targets.get(digests.at(-2) as string) };
  const view = await refresh(confused, memoryStore(), honest.anchor, NOW);
  assert.equal(Buffer.from((await view.target('v1.json')).bytes).toString(), 'old');
  await rejectsWith('target-digest', () => view.target('v2.json'));
});
