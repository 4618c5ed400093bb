// An initrd holds the files of its root file system once more: packed together, they are stored once.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { memberCuts } from '../../../bundles/archives.ts';
import { filesystemStore } from '../../../bundles/index.ts';
import { packTree } from '../../support/pack-tree.ts';
import { fixedBytes } from '../../support/release-tree.ts';
import { temporary } from '../../support/temporary.ts';

const FILES = [
  { name: 'bin/small', bytes: fixedBytes('small', 777) },
  { name: 'bin/node', bytes: fixedBytes('node', 900_001) },
  { name: 'lib/libc.so', bytes: fixedBytes('libc', 400_003) },
];

test('every member of some size is cut out, in archives that follow one another too', async t => {
  const path = join(await temporary(t), 'initrd.img');
  const archive = Buffer.concat([cpio(FILES), cpio(FILES)]);
  await writeFile(path, archive);
  const parts: Buffer[] = [];
  let from = 0;
  for (const cut of [...memberCuts(Buffer.from(path), archive.length), archive.length]) {
    assert.ok(cut > from, 'cuts ascend');
    parts.push(archive.subarray(from, cut));
    from = cut;
  }
  for (const { name, bytes } of FILES.slice(1)) {
    assert.equal(parts.filter(part => part.equals(bytes)).length, 2, name);
  }
});

test('whatever only looks like an archive is cut somewhere or nowhere, and never read for ever', async t => {
  const path = join(await temporary(t), 'odd');
  const archive = cpio([...FILES, { name: 'more', bytes: fixedBytes('more', 300_000) }]);
  for (const at of [0, 54, 60, 94, 101, 110, 1200]) {
    for (const value of ['ffffffff', '-1      ', 'zzzzzzzz', '00000000', '\0\0\0\0\0\0\0\0']) {
      const odd = Buffer.from(archive);
      odd.write(value, at, 'latin1');
      await writeFile(path, odd);
      const cuts = memberCuts(Buffer.from(path), odd.length);
      assert.ok(cuts.every((cut, index) => cut > (cuts[index - 1] ?? 0) && cut < odd.length));
    }
  }
  assert.deepEqual(memberCuts(Buffer.from('/nowhere'), 5_000_000), []);

  // A name of negative length leads back to the header before: no number has a sign.
  const circle = Buffer.from(archive);
  circle.write('-0000070', 94, 'latin1');
  await writeFile(path, circle);
  assert.deepEqual(memberCuts(Buffer.from(path), circle.length), []);
});

test('a root file system and its initrd are stored once', async t => {
  const directory = await temporary(t);
  const tree = join(directory, 'tree');
  for (const { name, bytes } of FILES) {
    await mkdir(join(tree, name, '..'), { recursive: true });
    await writeFile(join(tree, name), bytes);
  }
  await writeFile(join(tree, 'initrd.img'), cpio(FILES));
  const store = filesystemStore(join(directory, 'store'));
  const packed = await packTree(tree, ({ name, bytes }) => store.put(name, bytes), { rootfs: true });
  const once = FILES.reduce((sum, { bytes }) => sum + bytes.length, 0);
  assert.ok(packed.plainBytes > 2 * once);
  assert.ok(packed.sealedBytes < 1.01 * once, `${packed.sealedBytes} bytes for ${once}`);
});

/** A cpio archive in the `newc` format, padded to a block. */
function cpio(files: readonly { readonly name: string; readonly bytes: Buffer }[]): Buffer {
  const parts: Buffer[] = [];
  for (const { name, bytes } of [...files, { name: 'TRAILER!!!', bytes: Buffer.alloc(0) }]) {
    const fields = [1, 0o100644, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, name.length + 1, 0];
    const head = `070701${fields.map(field => field.toString(16).padStart(8, '0')).join('')}${name}\0`;
    parts.push(padded(Buffer.from(head, 'latin1'), 4), padded(bytes, 4));
  }
  return padded(Buffer.concat(parts), 512);
}

function padded(bytes: Buffer, to: number): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((to - (bytes.length % to)) % to)]);
}
