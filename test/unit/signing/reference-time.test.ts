// A clock that is ten years off, either way, opens no door.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { referenceTime, refresh } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { memoryStore, NOW, newRepository, sourceOf } from '../../support/repository.ts';
import { temporary } from '../../support/temporary.ts';

const YEAR_MS = 365 * 24 * 3600_000;

test('freeze with a dead clock: metadata that expired before the newest signed time is refused, whatever the clock says', async t => {
  const directory = await temporary(t);
  const repository = await newRepository();
  const visit = async (clockMs: number) => {
    const { now } = await referenceTime(directory);
    return refresh(sourceOf(repository.served), memoryStore(), repository.anchor, now(new Date(clockMs)).getTime());
  };
  const tenYearsAgo = NOW - 10 * YEAR_MS;
  await visit(tenYearsAgo); // nothing is known yet: a fresh site can only believe its clock
  await (await referenceTime(directory)).advance(new Date(repository.expiresMs + 1000));
  await rejectsWith('metadata-expired', () => visit(tenYearsAgo));
  await rejectsWith('metadata-expired', () => visit(NOW + 10 * YEAR_MS));
});

test('signed time never goes back, also in the next process', async t => {
  const directory = await temporary(t);
  const time = await referenceTime(directory);
  assert.equal(time.highestSigned, undefined);
  await time.advance(new Date(NOW));
  await time.advance(new Date(NOW - YEAR_MS));
  const again = await referenceTime(directory);
  assert.equal(again.highestSigned?.getTime(), NOW);
  assert.equal(again.now(new Date(0)).getTime(), NOW);
  assert.equal(again.now(new Date(NOW + 1)).getTime(), NOW + 1);
});

test('a damaged time is not taken for no time', async t => {
  const directory = await temporary(t);
  await (await referenceTime(directory)).advance(new Date(NOW));
  const path = join(directory, 'time.json');
  await writeFile(path, (await readFile(path, 'utf8')).slice(0, -3));
  await rejectsWith('trust-state-damaged', () => referenceTime(directory));
});
