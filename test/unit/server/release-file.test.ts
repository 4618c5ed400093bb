// `release.yaml` on the pipeline's machine: where its directories may be, and what is found out before anything is packed.
import assert from 'node:assert/strict';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { measure, openReleaseFile, requireImageFiles } from '../../../server/pipeline/release-file.ts';
import { rejectsWith } from '../../support/errors.ts';
import { temporary } from '../../support/temporary.ts';

const HEAD = 'product: cloud\nversion: 1.0.0\nchannel: stable\ncomponents:\n';

test('the directory of a component may be a link to it', async t => {
  const base = await temporary(t);
  await mkdir(join(base, 'build-7'));
  await writeFile(join(base, 'build-7', 'file'), 'content');
  await symlink('build-7', join(base, 'newest'));
  const path = join(base, 'release.yaml');
  await writeFile(path, `${HEAD}  - {name: services, kind: files, directory: ./newest}\n`);
  assert.equal(measure(await openReleaseFile(path)), 7);
});

test('a kernel or an initrd that is missing is found before anything is packed', async t => {
  const base = await temporary(t);
  for (const name of ['vmlinuz', 'initrd']) await writeFile(join(base, name), name);
  const path = join(base, 'release.yaml');
  await writeFile(path, `${HEAD}  - {name: os, kind: microos, directory: ., kernel: vmlinuz, initrd: initrd}\n`);
  const release = await openReleaseFile(path);
  await requireImageFiles(release);
  await rm(join(base, 'initrd'));
  const { message } = await rejectsWith('release-file', () => requireImageFiles(release));
  assert.match(message, /os has no file initrd/);
});
