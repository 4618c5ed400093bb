// What a site trusts survives a crash at every write: the old state or the new one, never a mixture, never nothing.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileTrustStore, refresh } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { NOW, newRepository, sourceOf } from '../../support/repository.ts';

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
    const bad = Buffer.from(good);
    bad[bad.length >> 1] = (bad[bad.length >> 1] as number) ^ 1;
    await writeFile(path, bad);
    await rejectsWith('trust-state-damaged', () => fileTrustStore(directory).load());
    await writeFile(path, good);
  }
  for (const damaged of ['', '{"root"', '{}', 'null']) {
    await writeFile(join(directory, 'trust.json'), damaged);
    await rejectsWith('trust-state-damaged', () => fileTrustStore(directory).load());
  }
});

async function temporary(t: { after(work: () => Promise<void>): void }): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'rollover-test-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
