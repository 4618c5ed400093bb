// From a real directory to sealed objects and back: the same tree, the same bytes, and nothing that must not be in it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, link, lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  decodeManifest,
  filesystemStore,
  type Manifest,
  openSealedManifest,
  type PackedRelease,
  packRelease,
  unpackRelease,
} from '../../../bundles/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { fixedBytes } from '../../support/release-tree.ts';
import { temporary } from '../../support/temporary.ts';

const PRODUCT_KEY = Buffer.alloc(32, 1);

async function sampleTree(directory: string): Promise<string> {
  const tree = join(directory, 'tree');
  await mkdir(join(tree, 'sub', 'deep'), { recursive: true });
  await writeFile(join(tree, 'large'), fixedBytes('large', 3_000_000));
  await writeFile(join(tree, 'empty'), '');
  await writeFile(join(tree, 'sub', 'script'), '#!/bin/sh\n');
  await chmod(join(tree, 'sub', 'script'), 0o750);
  await symlink('../large', join(tree, 'sub', 'link'));
  await link(join(tree, 'large'), join(tree, 'sub', 'same'));
  await writeFile(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0xfe])]), 'a name that is not UTF-8');
  return tree;
}

async function pack(directory: string, tree: string, options: { base?: Manifest[]; rootfs?: boolean } = {}) {
  const store = filesystemStore(join(directory, 'store'));
  const packed = await packRelease({
    product: 'cloud',
    version: '1.0.0',
    productKey: PRODUCT_KEY,
    components: [{ name: 'tree', directory: tree, rootfs: options.rootfs ?? false, digests: [] }],
    base: options.base ?? [],
    put: segment => store.put(segment.name, segment.bytes),
  });
  return { packed, store, manifest: manifestOf(packed) };
}

function manifestOf(packed: PackedRelease): Manifest {
  const { name, key, bytes } = packed.manifest;
  return decodeManifest(openSealedManifest(name, key, bytes));
}

async function describe(root: string): Promise<string[]> {
  const lines: string[] = [];
  for (const name of await readdir(root, { recursive: true, encoding: 'latin1' })) {
    const path = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name, 'latin1')]);
    const stats = await lstat(path);
    const content = stats.isSymbolicLink()
      ? await readlink(path)
      : stats.isFile()
        ? (await readFile(path)).toString('latin1')
        : '';
    lines.push([name, stats.mode, stats.nlink, Math.floor(stats.mtimeMs / 1000), content].join('|'));
  }
  return lines.sort();
}

test('a tree comes back as it was: modes, links, times, empty files, odd names', async t => {
  const directory = await temporary(t);
  const tree = await sampleTree(directory);
  const { manifest, store } = await pack(directory, tree);
  await unpackRelease({ manifest, segments: store, directory: join(directory, 'out'), owners: false });
  assert.deepEqual(await describe(join(directory, 'out', 'tree')), await describe(tree));
});

test('the same input gives the same bytes', async t => {
  const directory = await temporary(t);
  const tree = await sampleTree(directory);
  const [first, second] = [await pack(directory, tree), await pack(directory, tree)];
  assert.deepEqual(first.packed.manifest, second.packed.manifest);
});

test('a second release stores only what is new, and unpacks from the segments of both', async t => {
  const directory = await temporary(t);
  const tree = await sampleTree(directory);
  const first = await pack(directory, tree);
  await writeFile(join(tree, 'added'), fixedBytes('added', 200_000));
  const second = await pack(directory, tree, { base: [first.manifest] });
  assert.ok(second.packed.newBytes < 210_000, `${second.packed.newBytes} new bytes`);
  await unpackRelease({
    manifest: second.manifest,
    segments: second.store,
    directory: join(directory, 'out'),
    owners: false,
  });
  assert.deepEqual(await describe(join(directory, 'out', 'tree')), await describe(tree));
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
  const { manifest, store } = await pack(directory, tree, { rootfs: true });
  await unpackRelease({ manifest, segments: store, directory: join(directory, 'out'), owners: false });
  assert.equal(await readlink(join(directory, 'out', 'tree', 'x')), '/etc/alternatives/x');
});

test('a manifest that would write outside, twice, or through a link is refused before anything is written', async t => {
  const directory = await temporary(t);
  const tree = await sampleTree(directory);
  const { manifest, store } = await pack(directory, tree);
  const common = { mode: 0o644, uid: 0, gid: 0, mtime: 0 };
  const file = (path: string) =>
    ({ type: 'file', path: Buffer.from(path), size: 0, firstChunk: 0, chunkCount: 0, ...common }) as const;
  const linkTo = (path: string, target: string) =>
    ({ type: 'symlink', path: Buffer.from(path), target: Buffer.from(target), ...common }) as const;
  const hostile = [
    [file('../escape')],
    [file('/absolute')],
    [file('a/../../escape')],
    [file('a'), file('a')],
    [linkTo('a', '.'), file('a/b')],
    [linkTo('a', '../../etc')],
    [file('no-parent/b')],
    [file('nul\0byte')],
  ];
  for (const [index, entries] of hostile.entries()) {
    const evil = { ...manifest, components: [{ name: 'tree', rootfs: false, entries }] };
    const out = join(directory, `out-${index}`);
    await rejectsWith('path-unsafe', () =>
      unpackRelease({ manifest: evil, segments: store, directory: out, owners: false }),
    );
    await assert.rejects(lstat(out), { code: 'ENOENT' });
  }
});

test('a damaged segment leaves no release behind', async t => {
  const directory = await temporary(t);
  const tree = await sampleTree(directory);
  const { manifest, store } = await pack(directory, tree);
  const { name } = manifest.segments.at(1);
  const path = join(directory, 'store', name.slice(0, 2), name);
  const bytes = await readFile(path);
  bytes[100] = (bytes[100] as number) ^ 1;
  await writeFile(path, bytes);
  const out = join(directory, 'out');
  const error = await rejectsWith('object-corrupt', () =>
    unpackRelease({ manifest, segments: store, directory: out, owners: false }),
  );
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
