// Locks that the kernel holds, and files that are not what they seem.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readBounded, tryLock } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { temporary } from '../../support/temporary.ts';

const LOCK = fileURLToPath(new URL('../../../signing/io/lock.ts', import.meta.url));

test('a lock is held by one at a time, and given back', async t => {
  const path = join(await temporary(t), 'lock');
  const first = await tryLock(path);
  assert.ok(first);
  assert.equal(await tryLock(path), undefined);
  await first.release();
  const second = await tryLock(path);
  assert.ok(second);
  await second.release();
});

test('of many that try at once, one has it', async t => {
  const path = join(await temporary(t), 'lock');
  for (let round = 0; round < 10; round++) {
    const locks = (await Promise.all(Array.from({ length: 8 }, () => tryLock(path)))).filter(
      lock => lock !== undefined,
    );
    assert.equal(locks.length, 1);
    await locks[0]?.release();
  }
});

test('the lock of a process that was killed is free at once', async t => {
  const path = join(await temporary(t), 'lock');
  const code = `const { tryLock } = await import(${JSON.stringify(LOCK)}); const lock = await tryLock(${JSON.stringify(path)}); console.log(lock ? 'held' : 'no'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = await once(child.stdout, 'data');
  assert.equal(String(said).trim(), 'held');
  assert.equal(await tryLock(path), undefined);
  child.kill('SIGKILL');
  await once(child, 'close');
  let lock = await tryLock(path);
  for (let i = 0; !lock && i < 100; i++) lock = await tryLock(path);
  assert.ok(lock);
  await lock.release();
});

test('what is no ordinary file is refused without being read or waited for', async t => {
  const directory = await temporary(t);
  const at = (name: string) => join(directory, name);
  await symlink('/dev/zero', at('zero'));
  execFileSync('mkfifo', [at('pipe')]);
  await mkdir(at('folder'));
  await writeFile(at('large'), 'x'.repeat(101));
  await writeFile(at('fine'), 'content');
  for (const name of ['zero', 'pipe', 'folder']) await rejectsWith('file-odd', () => readBounded(at(name), 100));
  await rejectsWith('metadata-too-large', () => readBounded(at('large'), 100));
  assert.equal((await readBounded(at('fine'), 100))?.toString(), 'content');
  assert.equal(await readBounded(at('nothing'), 100), undefined);
});
