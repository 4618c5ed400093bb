// What a site trusts survives a crash at every write: the old state or the new one, never a mixture, never nothing.
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileTrustStore, refresh } from '../../../signing/index.ts';
import { flipped } from '../../support/damage.ts';
import { rejectsWith } from '../../support/errors.ts';
import { NOW, newRepository, sourceOf } from '../../support/repository.ts';
import { temporary } from '../../support/temporary.ts';

test('a state is stored, read again, and guards against a rollback in another process', async t => {
  const directory = await temporary(t);
  const repository = await newRepository();
  const old = repository.copy();
  await repository.publish({ 'issuers.json': 'keys' }, { 'channel/head': 'second' });
  const view = await refresh(sourceOf(repository.served), fileTrustStore(directory), repository.anchor, NOW);
  await view.target('channel/head');
  await rejectsWith('metadata-version', () =>
    refresh(sourceOf(old), fileTrustStore(directory), repository.anchor, NOW),
  );
  const again = await refresh(sourceOf(repository.served), fileTrustStore(directory), repository.anchor, NOW);
  assert.equal(again.state.timestamp?.content.version, 2);
});

test('any flipped byte in the stored state is noticed', async t => {
  const directory = await temporary(t);
  const repository = await newRepository();
  await refresh(sourceOf(repository.served), fileTrustStore(directory), repository.anchor, NOW);
  for (const name of await readdir(join(directory, 'metadata'))) {
    const path = join(directory, 'metadata', name);
    const good = await readFile(path);
    await writeFile(path, flipped(good));
    await rejectsWith('trust-state-damaged', () => fileTrustStore(directory).load());
    await writeFile(path, good);
  }
  for (const damaged of ['', '{"root"', '{}', 'null']) {
    await writeFile(join(directory, 'trust.json'), damaged);
    await rejectsWith('trust-state-damaged', () => fileTrustStore(directory).load());
  }
});
