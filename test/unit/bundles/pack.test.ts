// From a real directory to sealed objects and back: the same tree, the same bytes, and nothing that must not be in it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  appendFile,
  chmod,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  filesystemStore,
  type Manifest,
  openManifest,
  openSealedIndex,
  unpackRelease,
} from '../../../bundles/index.ts';
import { decodeManifest } from '../../../bundles/manifest.ts';
import { openSealedManifest } from '../../../bundles/seal.ts';
import { flipped } from '../../support/damage.ts';
import { rejectsWith } from '../../support/errors.ts';
import { type PackChoice, packTree } from '../../support/pack-tree.ts';
import { fixedBytes } from '../../support/release-tree.ts';
import { temporary } from '../../support/temporary.ts';
import { listTree } from '../../support/tree-listing.ts';

const BEFORE_1970 = new Date('1969-07-20T20:17:40Z');

async function sampleTree(directory: string): Promise<string> {
  const tree = join(directory, 'tree');
  await mkdir(join(tree, 'sub', 'deep'), { recursive: true });
  await writeFile(join(tree, 'large'), fixedBytes('large', 3_000_000));
  await writeFile(join(tree, 'empty'), '');
  await utimes(join(tree, 'empty'), BEFORE_1970, BEFORE_1970);
  await writeFile(join(tree, 'sub', 'script'), '#!/bin/sh\n');
  await chmod(join(tree, 'sub', 'script'), 0o750);
  await symlink('../large', join(tree, 'sub', 'link'));
  await link(join(tree, 'large'), join(tree, 'sub', 'same'));
  await writeFile(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0xfe])]), 'a name that is not UTF-8');
  return tree;
}

async function pack(directory: string, tree: string, choice: PackChoice = {}) {
  const store = filesystemStore(join(directory, 'store'));
  const packed = await packTree(tree, ({ name, bytes }) => store.put(name, bytes), choice);
  const { name, key, bytes } = packed.manifest;
  const manifest = openManifest(name, key, bytes);
  const digests = openSealedIndex(packed.index.name, key, packed.index.bytes);
  const unpack = (out: string, changed: Manifest = manifest) =>
    unpackRelease({ manifest: changed, manifestDigest: name, segments: store, directory: out, owners: false });
  return { packed, store, manifest, digests, unpack };
}

test('a tree comes back as it was: modes, links, times, empty files, odd names', async t => {
  const directory = await temporary(t);
  const tree = await sampleTree(directory);
  const { unpack } = await pack(directory, tree);
  await unpack(join(directory, 'out'));
  assert.deepEqual(await listTree(join(directory, 'out', 'tree')), await listTree(tree));
});

test('the same input gives the same bytes, on one thread or on four', async t => {
  const directory = await temporary(t);
  const tree = await sampleTree(directory);
  const runs = [
    await pack(directory, tree, { threads: 1 }),
    await pack(directory, tree, { threads: 4 }),
    await pack(directory, tree),
  ];
  const results = runs.map(({ packed: { manifest, index, content } }) => ({ manifest, index, content }));
  assert.deepEqual(results[1], results[0]);
  assert.deepEqual(results[2], results[0]);
});

test('packed again on top of itself, it is the same content and nothing new', async t => {
  const directory = await temporary(t);
  const tree = await sampleTree(directory);
  const first = await pack(directory, tree);
  const again = await pack(directory, tree, { base: [first] });
  assert.equal(again.packed.newBytes, 0);
  assert.equal(again.packed.content, first.packed.content);
});

test('a sparse file of 5 GiB comes back sparse, in seconds and without its zeros', async t => {
  const directory = await temporary(t);
  const tree = join(directory, 'tree');
  await mkdir(tree);
  const file = await open(join(tree, 'disk.img'), 'w');
  await file.truncate(5 * 2 ** 30);
  await file.write(Buffer.from('at the end of it'), 0, 16, 5 * 2 ** 30 - 16);
  await file.write(fixedBytes('in the middle', 100_000), 0, 100_000, 2 ** 32 - 50_000);
  await file.close();
  const { packed, unpack } = await pack(directory, tree);
  assert.equal(packed.plainBytes, 5 * 2 ** 30);
  assert.ok(packed.newBytes < 500_000, `${packed.newBytes} bytes`);
  await unpack(join(directory, 'out'));
  const out = join(directory, 'out', 'tree', 'disk.img');
  const stats = await lstat(out);
  assert.equal(stats.size, 5 * 2 ** 30);
  assert.ok(stats.blocks * 512 < 2_000_000, `${stats.blocks * 512} bytes on disk`);
  execFileSync('cmp', [join(tree, 'disk.img'), out]);
});

const withoutXattrs = ['getfattr', 'setfattr'].every(tool => existsSync(join('/usr/bin', tool)))
  ? false
  : 'getfattr and setfattr are not installed (apt-get install attr)';

test('extended attributes come back, with any bytes in them', { skip: withoutXattrs }, async t => {
  const directory = await temporary(t);
  const tree = await sampleTree(directory);
  const attributes: [string, string, string][] = [
    ['large', 'user.plain', '0x68656c6c6f'],
    ['large', 'user.binary', '0x00ff0a3d5c'],
    ['sub', 'user.of a directory', '0x31'],
  ];
  for (const [path, name, value] of attributes) {
    execFileSync('setfattr', ['--name', name, '--value', value, join(tree, path)]);
  }
  const { unpack } = await pack(directory, tree, { xattrs: true });
  await unpack(join(directory, 'out'));
  const dump = (at: string) =>
    execFileSync('getfattr', ['-R', '-d', '-m', '-', '-e', 'hex', '.'], { cwd: at }).toString('latin1');
  assert.equal(dump(join(directory, 'out', 'tree')), dump(tree));
  assert.match(dump(tree), /user\.binary=0x00ff0a3d5c/);
});

test('a file that is written to while it is packed is refused and named', async t => {
  const directory = await temporary(t);
  const tree = join(directory, 'tree');
  await mkdir(tree);
  await writeFile(join(tree, 'large'), fixedBytes('large', 60_000_000));
  // It changes when its first segment has been sealed, while its end is still to be read.
  const packing = packTree(tree, () => appendFile(join(tree, 'large'), 'x'), { threads: 1 });
  assert.match((await rejectsWith('entry-changed', () => packing)).message, /large/);
});

test('unpacking goes on where it was interrupted, within one boot and for one manifest', async t => {
  const directory = await temporary(t);
  const tree = await sampleTree(directory);
  await writeFile(join(tree, 'more'), fixedBytes('more', 12_000_000));
  const { manifest, store, unpack } = await pack(directory, tree);
  const out = join(directory, 'out');
  const last = manifest.segments.at(manifest.segments.length - 1).name;
  const bytes = await store.get(last);
  await store.remove(last);
  await rejectsWith('object-missing', () => unpack(out));
  const names: string[] = [];
  await store.put(last, bytes);
  const counting = {
    ...store,
    read(digest: string) {
      names.push(digest);
      return store.read(digest);
    },
  };
  const input = { manifest, manifestDigest: '', segments: counting, directory: out, owners: false };
  const { packed } = await pack(directory, tree);
  await unpackRelease({ ...input, manifestDigest: packed.manifest.name });
  const underWay = 2 * availableParallelism();
  assert.ok(
    names.includes(last) && names.length <= underWay + 1,
    `${names.length} of ${manifest.segments.length} were opened again`,
  );
  assert.deepEqual(await listTree(join(out, 'tree')), await listTree(tree));
  assert.deepEqual(
    (await readdir(directory)).filter(name => /staging|progress/.test(name)),
    [],
  );
});

test('a second release stores only what is new, and unpacks from the segments of both', async t => {
  const directory = await temporary(t);
  const tree = await sampleTree(directory);
  const first = await pack(directory, tree);
  await writeFile(join(tree, 'added'), fixedBytes('added', 200_000));
  const second = await pack(directory, tree, { base: [first] });
  assert.ok(second.packed.newBytes < 210_000, `${second.packed.newBytes} new bytes`);
  await second.unpack(join(directory, 'out'));
  assert.deepEqual(await listTree(join(directory, 'out', 'tree')), await listTree(tree));
});

test('a missing directory, a link that points outside, a socket, a pipe, a device: each is refused and named', async t => {
  const directory = await temporary(t);
  const missing = await rejectsWith('directory-missing', () => pack(directory, join(directory, 'nowhere')));
  assert.match(missing.message, /nowhere/);

  const refused = async (code: string, name: string, make: (path: string) => Promise<unknown> | unknown) => {
    const tree = join(directory, `tree-${name}`);
    await mkdir(tree);
    await make(join(tree, name));
    assert.match((await rejectsWith(code, () => pack(directory, tree))).message, new RegExp(name));
  };
  await refused('link-outside', 'absolute', path => symlink('/etc/passwd', path));
  await refused('link-outside', 'above', path => symlink('../../x', path));
  await refused('link-outside', 'through', async path => {
    await mkdir(join(path, '..', 'd', 'e'), { recursive: true });
    await symlink('../..', join(path, '..', 'd', 'e', 's'));
    await symlink('d/e/s/..', path);
  });
  await refused('entry-unsupported', 'pipe', path => execFileSync('mkfifo', [path]));
  if (process.getuid?.() === 0) {
    await refused('entry-unsupported', 'device', path => execFileSync('mknod', [path, 'c', '1', '3']));
  } else t.diagnostic('not root: the device node is not tried');
  const server = createServer();
  t.after(async () => void server.close());
  await refused('entry-unsupported', 'socket', path => new Promise<void>(resolve => server.listen(path, resolve)));
});

test('a root file system may have absolute links', async t => {
  const directory = await temporary(t);
  const tree = join(directory, 'rootfs');
  await mkdir(tree);
  await symlink('/etc/alternatives/x', join(tree, 'x'));
  const { unpack } = await pack(directory, tree, { rootfs: true });
  await unpack(join(directory, 'out'));
  assert.equal(await readlink(join(directory, 'out', 'tree', 'x')), '/etc/alternatives/x');
});

test('a manifest that would write outside, twice, or through a link is refused before anything is written', async t => {
  const directory = await temporary(t);
  const tree = await sampleTree(directory);
  const { manifest, unpack } = await pack(directory, tree);
  const common = { mode: 0o644, uid: 0, gid: 0, mtime: 0, xattrs: [] };
  const file = (path: string) =>
    ({
      type: 'file',
      path: Buffer.from(path),
      size: 0,
      firstChunk: 0,
      chunkCount: 0,
      sparse: false,
      ...common,
    }) as const;
  const linkTo = (path: string, target: string) =>
    ({ type: 'symlink', path: Buffer.from(path), target: Buffer.from(target), ...common }) as const;
  const dir = (path: string) => ({ type: 'directory', path: Buffer.from(path), ...common }) as const;
  const hostile = [
    [file('../escape')],
    [file('/absolute')],
    [file('a/../../escape')],
    [file('a'), file('a')],
    [linkTo('a', '.'), file('a/b')],
    [linkTo('a', '../../etc')],
    [linkTo('a', '/etc')],
    [dir('d'), dir('d/e'), linkTo('d/e/s', '../..'), linkTo('x', 'd/e/s/..')],
    [linkTo('a', 'b'), linkTo('b', 'a')],
    [file('no-parent/b')],
    [file('nul\0byte')],
  ];
  for (const [index, entries] of hostile.entries()) {
    const evil = { ...manifest, components: [{ name: 'tree', rootfs: false, entries }] };
    const out = join(directory, `out-${index}`);
    await rejectsWith('path-unsafe', () => unpack(out, evil));
    await assert.rejects(lstat(out), { code: 'ENOENT' });
  }
});

test('a damaged segment leaves no release behind', async t => {
  const directory = await temporary(t);
  const tree = await sampleTree(directory);
  const { manifest, unpack } = await pack(directory, tree);
  const { name } = manifest.segments.at(1);
  const path = join(directory, 'store', name.slice(0, 2), name);
  await writeFile(path, flipped(await readFile(path)));
  const out = join(directory, 'out');
  const error = await rejectsWith('segment-corrupt', () => unpack(out));
  assert.match(error.message, new RegExp(name));
  await assert.rejects(lstat(out), { code: 'ENOENT' });
});

test('a manifest that was cut, extended or altered anywhere is refused or reads differently, and never crashes', async t => {
  const directory = await temporary(t);
  const { packed } = await pack(directory, await sampleTree(directory));
  const plain = openSealedManifest(packed.manifest.name, packed.manifest.key, packed.manifest.bytes);
  await rejectsWith('manifest-corrupt', async () => decodeManifest(Buffer.concat([plain, Buffer.from([0])])));
  for (let length = 0; length < plain.length; length += 7) {
    await rejectsWith('manifest-corrupt', async () => decodeManifest(plain.subarray(0, length)));
  }
  for (let i = 0; i < plain.length; i++) {
    const bad = Buffer.from(plain);
    bad[i] = (bad[i] as number) ^ 0xff;
    try {
      decodeManifest(bad);
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'manifest-corrupt');
    }
  }
});
