// The embedded store: every commit survives, a torn one never happened, damage is told and not guessed at.
import assert from 'node:assert/strict';
import { appendFile, mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { embeddedCoordination } from '../../../agent/coordination/embedded.ts';
import { flipped } from '../../support/damage.ts';
import { rejectsWith } from '../../support/errors.ts';
import { temporary } from '../../support/temporary.ts';

test('commits are read again by the next process, and the epoch grows with every leader', async t => {
  const directory = await temporary(t);
  const first = await embeddedCoordination(directory);
  const leader = await first.campaign();
  await leader.commit([
    { op: 'put', key: 'a', value: 1 },
    { op: 'put', key: 'b', value: { deep: [2] } },
  ]);
  await leader.commit([{ op: 'delete', key: 'a' }]);
  await first.close();
  const second = await embeddedCoordination(directory);
  assert.deepEqual(await second.read(''), new Map([['b', { deep: [2] }]]));
  assert.equal((await second.campaign()).epoch, leader.epoch + 1);
  await second.close();
});

test('a leader that has been replaced can no longer commit', async t => {
  const store = await embeddedCoordination(await temporary(t));
  const old = await store.campaign();
  const next = await store.campaign();
  await rejectsWith('stale-epoch', () => old.commit([{ op: 'put', key: 'a', value: 1 }]));
  await next.commit([{ op: 'put', key: 'a', value: 2 }]);
  assert.equal((await store.read('a')).get('a'), 2);
  await store.close();
});

test('cut anywhere, the log gives the state after one of its commits', async t => {
  const directory = await temporary(t);
  const path = join(directory, 'coordination.log');
  const store = await embeddedCoordination(directory);
  const leader = await store.campaign();
  for (let n = 1; n <= 5; n++) {
    await leader.commit([
      { op: 'put', key: 'x', value: n },
      { op: 'put', key: 'y', value: n },
    ]);
  }
  await store.close();
  const whole = await readFile(path);
  const first = whole.indexOf('\n') + 1;
  for (let length = whole.length; length >= first; length--) {
    await writeFile(path, whole);
    await truncate(path, length);
    const again = await embeddedCoordination(directory);
    const values = await again.read('');
    assert.equal(values.get('x'), values.get('y'));
    const next = await again.campaign();
    await next.commit([{ op: 'put', key: 'z', value: true }]);
    await again.close();
    const after = await embeddedCoordination(directory);
    assert.equal((await after.read('')).get('z'), true);
    await after.close();
  }
});

test('a log that is damaged in its first line, or cannot be read, is never taken for an empty one', async t => {
  const directory = await temporary(t);
  const path = join(directory, 'coordination.log');
  const store = await embeddedCoordination(directory);
  await store.close();
  await writeFile(path, flipped(await readFile(path), 12));
  await rejectsWith('coordination-damaged', () => embeddedCoordination(directory));
  await writeFile(path, '');
  await rejectsWith('coordination-damaged', () => embeddedCoordination(directory));
  await rm(path);
  await mkdir(path);
  await assert.rejects(embeddedCoordination(directory), { code: 'EISDIR' });
});

test('a damaged line in the middle is not skipped', async t => {
  const directory = await temporary(t);
  const store = await embeddedCoordination(directory);
  const leader = await store.campaign();
  await leader.commit([{ op: 'put', key: 'x', value: 1 }]);
  await leader.commit([{ op: 'put', key: 'x', value: 2 }]);
  await store.close();
  const path = join(directory, 'coordination.log');
  await writeFile(path, flipped(await readFile(path), 20));
  await appendFile(path, '');
  await rejectsWith('coordination-damaged', () => embeddedCoordination(directory));
});

test('a long history is rewritten and stays small', async t => {
  const directory = await temporary(t);
  const store = await embeddedCoordination(directory);
  const leader = await store.campaign();
  const value = 'x'.repeat(500_000);
  for (let n = 0; n < 30; n++) await leader.commit([{ op: 'put', key: 'big', value: `${n}${value}` }]);
  await store.close();
  assert.ok((await readFile(join(directory, 'coordination.log'))).length < 6_000_000);
  const again = await embeddedCoordination(directory);
  assert.equal((await again.read('big')).get('big'), `29${value}`);
  await again.close();
});
