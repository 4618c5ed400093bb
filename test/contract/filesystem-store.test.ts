// The blob store in a directory keeps the contract, and its own promises about half-written files.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { filesystemStore } from '../../bundles/index.ts';
import { sha256Hex } from '../../signing/index.ts';
import { rejectsWith } from '../support/errors.ts';
import { temporary } from '../support/temporary.ts';
import { blobStoreContract } from './blob-store.ts';

const directories: string[] = [];
after(async () => {
  for (const directory of directories) await rm(directory, { recursive: true, force: true });
});

blobStoreContract('filesystem', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'rollover-store-'));
  directories.push(directory);
  return {
    store: filesystemStore(directory),
    damage: (digest, bytes) => writeFile(join(directory, digest.slice(0, 2), digest), bytes),
  };
});

test('filesystem: a directory that cannot be written to is told as such, and nothing is left', async t => {
  const directory = await temporary(t);
  await writeFile(join(directory, 'in-the-way'), '');
  const store = filesystemStore(join(directory, 'in-the-way', 'objects'));
  const bytes = Buffer.from('x');
  await rejectsWith('disk-write', () => store.put(sha256Hex(bytes), bytes));
  assert.deepEqual(await readdir(directory), ['in-the-way']);
});
