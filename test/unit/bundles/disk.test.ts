// Disks that are full and folders that may not be written to: said as `disk-write`, nothing half-written is taken for whole, and
// the same again goes on when the trouble is over.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { filesystemStore, openManifest, syncSegments, unpackRelease } from '../../../bundles/index.ts';
import { sha256Hex } from '../../../signing/index.ts';
import type { Step } from '../../support/bundle-step.ts';
import { rejectsWith } from '../../support/errors.ts';
import { runStep } from '../../support/killing.ts';
import { packTree } from '../../support/pack-tree.ts';
import { fixedBytes } from '../../support/release-tree.ts';
import { temporary } from '../../support/temporary.ts';
import { listTree } from '../../support/tree-listing.ts';

const SMALL_MB = 6;
const LARGE_MB = 64;
const isRoot = process.getuid?.() === 0;
const NOBODY = { uid: 65_534, gid: 65_534 };
/** An ordinary user: this one, or nobody where this one is root. */
const user = isRoot ? NOBODY : {};

test('a full disk while a release is packed: said, and packed on when there is space', async t => {
  const { directory, tree, full } = await fixture(t);
  if (!full) return;
  const store = filesystemStore(join(full, 'objects'));
  await rejectsWith('disk-write', () => pack(tree, store));
  await requireIntact(store);
  resize(full, LARGE_MB);
  const release = await pack(tree, store);
  await unpackRelease({ ...release, segments: store, directory: join(directory, 'out'), owners: false });
  assert.deepEqual(await listTree(join(directory, 'out', 'tree')), await listTree(tree));
});

test('a full disk while a release is fetched: said, and only the rest is fetched when there is space', async t => {
  const { tree, full, store: vendor } = await fixture(t);
  if (!full) return;
  const { manifest } = await pack(tree, vendor);
  const source = { name: 'vendor', object: (digest: string) => vendor.read(digest) };
  const store = filesystemStore(join(full, 'objects'));
  await rejectsWith('disk-write', () => syncSegments(manifest, [source], store));
  const kept = await requireIntact(store);
  assert.ok(kept > 0);
  resize(full, LARGE_MB);
  const { reusedBytes, fetchedBytes } = await syncSegments(manifest, [source], store);
  assert.equal(reusedBytes, kept);
  assert.equal(await requireIntact(store), kept + fetchedBytes);
});

test('a full disk while a release is unpacked: said, no release appears, and it goes on when there is space', async t => {
  const { tree, full, store } = await fixture(t);
  if (!full) return;
  const release = await pack(tree, store);
  const directory = join(full, 'out');
  const input = { ...release, segments: store, directory, owners: false };
  await rejectsWith('disk-write', () => unpackRelease(input));
  assert.ok(!(await readdir(full)).includes('out'));
  resize(full, LARGE_MB);
  const opened: string[] = [];
  const read = (digest: string) => {
    opened.push(digest);
    return store.read(digest);
  };
  await unpackRelease({ ...input, segments: { ...store, read } });
  assert.ok(opened.length < release.manifest.segments.length, 'what was written is not written again');
  assert.deepEqual(await listTree(join(directory, 'tree')), await listTree(tree));
  assert.deepEqual(await readdir(full), ['out']);
});

test('a disk on which not one byte is free', async t => {
  const { tree, full, store } = await fixture(t);
  if (!full) return;
  const release = await pack(tree, store);
  await writeFile(join(full, 'filler'), Buffer.alloc(LARGE_MB * 1024 * 1024)).catch(() => undefined);
  const input = { ...release, segments: store, directory: join(full, 'deep', 'out'), owners: false };
  await rejectsWith('disk-write', () => unpackRelease(input));
  await rm(join(full, 'filler'));
  resize(full, LARGE_MB);
  await unpackRelease(input);
  assert.deepEqual(await listTree(join(full, 'deep', 'out', 'tree')), await listTree(tree));
});

test('a folder that may not be written to is told, and used when it may be', async t => {
  const { directory, step } = await forUser(t);
  if (!step) return;
  await chmod(join(directory, 'site'), 0o555);
  await assert.rejects(runStep(step, undefined, user), { code: 'disk-write' });
  await chmod(join(directory, 'site'), 0o755);
  await runStep(step, undefined, user);
  assert.deepEqual(await listTree(join(directory, 'site', 'out', 'tree')), await listTree(join(directory, 'tree')));
});

test('read-only files that an interrupted run had finished are no obstacle to its owner', async t => {
  const { directory, step } = await forUser(t);
  if (!step) return;
  const out = join(directory, 'site', 'out');
  const { killed } = await runStep(
    step,
    (kill, child) => void child.once('message', () => child.once('message', kill)),
    user,
  );
  assert.ok(killed);
  // As if it had been killed before it could say which segments are done.
  const progress = `${out}.progress`;
  execFileSync('truncate', ['--size', `${'rollover-unpack/1  \n'.length + 64 + 36}`, progress]);
  await runStep(step, undefined, user);
  assert.deepEqual(await listTree(join(out, 'tree')), await listTree(join(directory, 'tree')));
});

test('what a killed process was writing is cleared away, but not what one is writing now', async t => {
  const store = await temporary(t);
  const bytes = Buffer.from('object');
  const digest = sha256Hex(bytes);
  const folder = join(store, digest.slice(0, 2));
  await mkdir(folder);
  for (const name of ['old.tmp', 'new.tmp']) await writeFile(join(folder, name), 'half');
  await utimes(join(folder, 'old.tmp'), 0, 0);
  await filesystemStore(store).put(digest, bytes);
  assert.deepEqual((await readdir(folder)).sort(), [digest, 'new.tmp'].sort());
});

/** A tree of 12 MB, and a disk that is too small for it; without the right to mount one, it says so. */
async function fixture(t: TestContext) {
  const directory = await temporary(t);
  const tree = await writeTree(directory);
  const store = filesystemStore(join(directory, 'store'));
  const full = await mkdtemp(join(tmpdir(), 'rollover-disk-'));
  const mount = ['-t', 'tmpfs', '-o', `size=${SMALL_MB}m`, 'none', full];
  const status = isRoot ? spawnSync('mount', mount).status : 1;
  t.after(async () => {
    if (status === 0) execFileSync('umount', ['--lazy', full]);
    await rm(full, { recursive: true });
  });
  if (status !== 0) {
    t.skip('a small disk can be mounted by root only');
    return { directory, tree, store, full: undefined };
  }
  return { directory, tree, store, full };
}

/** A release that an ordinary user can open into `site/out`. */
async function forUser(t: TestContext) {
  const directory = await temporary(t);
  const script = new URL('../../support/bundle-step.ts', import.meta.url).pathname;
  if (isRoot && spawnSync(process.execPath, ['--check', script], NOBODY).status !== 0) {
    t.skip('this checkout cannot be read by other users');
    return { directory, step: undefined };
  }
  await chmod(directory, 0o755);
  const store = filesystemStore(join(directory, 'store'));
  const { manifestDigest: name, sealed, key } = await pack(await writeTree(directory), store);
  const path = join(directory, 'manifest');
  await writeFile(path, sealed);
  await mkdir(join(directory, 'site'));
  if (isRoot) await chown(join(directory, 'site'), NOBODY.uid, NOBODY.gid);
  const manifest = { path, name, key: key.toString('hex') };
  const out = join(directory, 'site', 'out');
  return {
    directory,
    step: { kind: 'open', manifest, objects: join(directory, 'store'), directory: out } satisfies Step,
  };
}

async function writeTree(directory: string): Promise<string> {
  const tree = join(directory, 'tree');
  await mkdir(tree);
  for (let i = 0; i < 12; i++) {
    await writeFile(join(tree, `${i}`), fixedBytes(`${i}`, 900_000), { mode: 0o444 });
    await writeFile(join(tree, `${i}-small`), fixedBytes(`${i}-small`, 90_000), { mode: 0o444 });
  }
  await writeFile(join(tree, 'empty'), '', { mode: 0o444 });
  return tree;
}

async function pack(tree: string, store: ReturnType<typeof filesystemStore>) {
  const { manifest } = await packTree(tree, ({ name, bytes }) => store.put(name, bytes));
  const { name, key, bytes } = manifest;
  return { manifest: openManifest(name, key, bytes), manifestDigest: name, key, sealed: bytes };
}

/** Everything in the store is what its name says. Returns how many bytes that are. */
async function requireIntact(store: ReturnType<typeof filesystemStore>): Promise<number> {
  let total = 0;
  for await (const { digest, size } of store.list()) {
    assert.equal((await store.get(digest)).length, size);
    total += size;
  }
  return total;
}

function resize(disk: string, megabytes: number): void {
  execFileSync('mount', ['-o', `remount,size=${megabytes}m`, disk]);
}
