// Mix-and-match: files of two days, each of them genuine. Only a whole day is ever believed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { type RolloverError, refresh } from '../../../signing/index.ts';
import { memoryStore, NOW, newRepository, newSigner, type Served, sourceOf } from '../../support/repository.ts';

const ROLES = ['timestamp', 'snapshot', 'targets', 'channel'] as const;
const REFUSALS: ReadonlySet<string> = new Set(['metadata-digest', 'metadata-version', 'metadata-signature']);

test('every mixture of the files of two days is refused, and each whole day is accepted', async () => {
  const { repository, days } = await twoDays(false);
  for (let mixture = 0; mixture < 1 << ROLES.length; mixture++) {
    const error = await visitAll(mixed(days, mixture), repository.anchor);
    const isWhole = mixture === 0 || mixture === (1 << ROLES.length) - 1;
    assert.equal(error === undefined, isWhole, `${named(mixture)}: ${error}`);
    if (error) assert.ok(REFUSALS.has(error.code), `${named(mixture)}: ${error.code}`);
  }
});

test('a site that has seen the second day accepts no mixture and not the first day', async () => {
  const { repository, days } = await twoDays(false);
  for (let mixture = 1; mixture < 1 << ROLES.length; mixture++) {
    const store = memoryStore();
    assert.equal(await visitAll(days[1], repository.anchor, store), undefined);
    const before = store.saved.at(-1);
    const error = await visitAll(mixed(days, mixture), repository.anchor, store);
    // What is stored guards: where only stored files would be replaced by older ones, the stored ones are used.
    assert.ok(error === undefined || REFUSALS.has(error.code), named(mixture));
    // Not deepEqual: to show where these differ takes it ten seconds.
    assert.ok(isDeepStrictEqual(store.saved.at(-1), before), named(mixture));
  }
});

test('a root of one day and files of the other: new online keys accept nothing that the old ones signed', async () => {
  const { repository, days } = await twoDays(true);
  for (let mixture = 1; mixture < 1 << ROLES.length; mixture++) {
    const error = await visitAll(mixed(days, mixture), repository.anchor);
    assert.ok(error && REFUSALS.has(error.code), `${named(mixture)}: ${error}`);
  }
});

test('two targets with swapped contents: each object is checked against its own name', async () => {
  const repository = await newRepository();
  await repository.publish({ 'a.json': 'one', 'b.json': 'two' });
  const [one, two] = [...repository.served.targets].slice(-2) as [[string, Uint8Array], [string, Uint8Array]];
  repository.served.targets.set(one[0], two[1]).set(two[0], one[1]);
  const view = await refresh(sourceOf(repository.served), memoryStore(), repository.anchor, NOW);
  for (const path of ['a.json', 'b.json']) {
    const error: RolloverError = await view.target(path).then(
      () => assert.fail('accepted'),
      caught => caught,
    );
    assert.equal(error.code, 'target-digest');
  }
});

/** Both days hold other versions of every role; with `rotated`, other online keys as well. */
async function twoDays(rotated: boolean) {
  const repository = await newRepository();
  const first = repository.copy();
  if (rotated) {
    repository.keys.timestamp = [newSigner()];
    repository.keys.snapshot = [newSigner()];
    await repository.publishRoot();
  }
  await repository.publish({ 'issuers.json': 'new keys' }, { 'channel/head': 'second' });
  const second = repository.copy();
  for (const [name, bytes] of second.metadata) if (name.endsWith('root.json')) first.metadata.set(name, bytes);
  return { repository, days: [first, second] as const };
}

/** A set bit takes a role from the first day, under whatever version it is asked for. */
function mixed(days: readonly [Served, Served], mixture: number): Served {
  const served: Served = { metadata: new Map(days[1].metadata), targets: days[1].targets };
  ROLES.forEach((role, i) => {
    const day = days[mixture & (1 << i) ? 0 : 1];
    const newest = [...day.metadata].findLast(([name]) => name.endsWith(`${role}.json`)) as [string, Uint8Array];
    for (const name of role === 'timestamp' ? ['timestamp.json'] : [`1.${role}.json`, `2.${role}.json`]) {
      served.metadata.set(name, newest[1]);
    }
  });
  return served;
}

async function visitAll(served: Served, anchor: Uint8Array, store = memoryStore()): Promise<RolloverError | undefined> {
  try {
    const view = await refresh(sourceOf(served), store, anchor, NOW);
    await view.loadAllRoles();
    return undefined;
  } catch (error) {
    return error as RolloverError;
  }
}

function named(mixture: number): string {
  return `old ${ROLES.filter((_, i) => mixture & (1 << i)).join(', ')}`;
}
