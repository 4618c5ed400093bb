// What the vendor does with releases beside publishing them: compare two, take one out as an ordinary tar, put a tar in.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, link, mkdir, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { diffReleases } from '../../../bundles/index.ts';
import { exportTar } from '../../../server/pipeline/export-tar.ts';
import { publishedRelease } from '../../../server/pipeline/published.ts';
import { rejectsWith } from '../../support/errors.ts';
import { fixedBytes } from '../../support/release-tree.ts';
import { startTestService, type TestService } from '../../support/service.ts';
import { listTree } from '../../support/tree-listing.ts';

const PRODUCT = 'tools';
const NO_PROGRESS = () => undefined;

let service: TestService;
let at: (...names: string[]) => string;
before(async () => {
  service = await startTestService();
  at = (...names) => join(service.directory, ...names);
  await writeTree(at('tree'));
});
after(() => service.close());

test('the difference of two releases is what changed in the tree, and what travels is little', async () => {
  await publish('1.0.0', 'directory: ./tree');
  await writeFile(at('tree', 'added'), 'new');
  await writeFile(at('tree', 'bin', 'tool'), fixedBytes('another tool', 50_000));
  await chmod(at('tree', 'notes'), 0o600);
  await rm(at('tree', 'removed'));
  const published = await publish('1.1.0', 'directory: ./tree');
  const { files, newBytes, newSegments, sharedBytes } = await difference('1.0.0', '1.1.0');
  assert.deepEqual(
    files.map(({ path, change, size }) => [path, change, size]),
    [
      ['added', 'added', 3],
      ['bin/tool', 'changed', 50_000],
      ['notes', 'changed', 5],
      ['removed', 'removed', 7],
    ],
  );
  assert.equal(newBytes, published.newBytes);
  assert.ok(newSegments === 1 && newBytes < 60_000 && sharedBytes > 900_000);
  const same = await difference('1.1.0', '1.1.0');
  assert.deepEqual([same.files, same.newBytes], [[], 0]);
  await rejectsWith('not-found', () => difference('1.0.0', '9.9.9'));
});

test('an exported tar is the tree, for any tool that reads tar, and never overwrites a file', async () => {
  await publish('2.0.0', 'directory: ./tree');
  const { tarBytes, files } = await exportTar(service.api, PRODUCT, '2.0.0', at('out.tar'), NO_PROGRESS);
  assert.ok(tarBytes > 1_000_000 && files === 5);
  await mkdir(at('extracted'));
  execFileSync('tar', ['--extract', '--preserve-permissions', '--file', at('out.tar'), '--directory', at('extracted')]);
  assert.deepEqual(await listTree(at('extracted', 'tree')), await listTree(at('tree')));
  await rejectsWith('file-exists', () => exportTar(service.api, PRODUCT, '2.0.0', at('out.tar'), NO_PROGRESS));
  await rejectsWith('not-found', () => exportTar(service.api, PRODUCT, '9.9.9', at('other.tar'), NO_PROGRESS));
  assert.ok(!(await readdir(service.directory)).some(name => name.endsWith('.partial')));
});

test('a tar is the same release as the directory that it was made of', async () => {
  await writeTree(at('again'));
  const archive = (...more: string[]) =>
    execFileSync('tar', ['--create', ...more, '--directory', at('again'), '.'], { maxBuffer: 2 ** 26 });
  await publish('3.0.0', 'directory: ./again');
  for (const compression of [[], ['--gzip']]) {
    await writeFile(at('again.tar'), archive(...compression, '--file=-'));
    const { sentBytes } = await publish('3.0.0', 'archive: ./again.tar');
    assert.equal(sentBytes, 0, 'the same content, or it would be refused');
  }
});

test('a tar that leads out, is damaged or is none is refused, and nothing is left of it', async () => {
  await writeFile(at('outside'), 'x');
  execFileSync('tar', [
    '--create',
    '--absolute-names',
    '--file',
    at('out-of.tar'),
    '--directory',
    at('tree'),
    '../outside',
  ]);
  await writeFile(at('none.tar'), fixedBytes('no tar', 10_000));
  const whole = execFileSync('tar', ['--create', '--file=-', '--directory', at('tree'), '.'], { maxBuffer: 2 ** 26 });
  await writeFile(at('cut.tar'), whole.subarray(0, whole.length / 2));
  for (const name of ['out-of.tar', 'none.tar', 'cut.tar', 'missing.tar']) {
    const error = await rejectsWith('archive-unreadable', () => publish('4.0.0', `archive: ./${name}`));
    assert.match(error.message, new RegExp(name));
  }
});

async function publish(version: string, source: string) {
  const path = at('release.yaml');
  await writeFile(
    path,
    `product: ${PRODUCT}\nversion: ${version}\nchannel: stable\ncomponents:\n  - name: tree\n    kind: files\n    ${source}\n`,
  );
  return service.publishFile(path);
}

async function difference(from: string, to: string) {
  const open = async (version: string) => (await publishedRelease(service.api, PRODUCT, version)).open();
  return diffReleases(await open(from), await open(to));
}

async function writeTree(tree: string): Promise<void> {
  await mkdir(join(tree, 'bin'), { recursive: true });
  await mkdir(join(tree, 'shared'));
  await writeFile(join(tree, 'large'), fixedBytes('large', 1_000_000));
  await writeFile(join(tree, 'bin', 'tool'), fixedBytes('tool', 50_000));
  await writeFile(join(tree, 'notes'), 'notes');
  await writeFile(join(tree, 'removed'), 'removed');
  await writeFile(join(tree, 'empty'), '');
  await link(join(tree, 'bin', 'tool'), join(tree, 'bin', 'tool2'));
  await symlink('../large', join(tree, 'bin', 'link'));
  // What a umask would take away, or a setting of the owner.
  await chmod(join(tree, 'bin', 'tool'), 0o4755);
  await chmod(join(tree, 'notes'), 0o666);
  await chmod(join(tree, 'shared'), 0o1777);
  for (const name of ['bin', 'shared', 'notes']) await utimes(join(tree, name), 1_700_000_000, 1_700_000_000);
}
