// The client for the public conformance suite keeps the suite's protocol. The suite itself is run by hand: it needs Python.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { RawRepository } from '../../support/raw-repository.ts';
import { serveRaw } from '../../support/raw-server.ts';
import { newSigner } from '../../support/repository.ts';
import { temporary } from '../../support/temporary.ts';

const CLIENT = fileURLToPath(new URL('../../conformance/tuf-client', import.meta.url));

test('init, refresh and download from any folder, with options on either side of the command', async t => {
  const directory = await temporary(t);
  const repository = new RawRepository(newSigner(), Date.now());
  repository.role('targets').targets.set('dir/a b', Buffer.from('first')).set('second', Buffer.from('second'));
  await repository.publish('root', 'targets', 'snapshot', 'timestamp');
  const { url, asked } = await serveRaw(t, repository.files);
  const anchor = join(directory, 'anchor.json');
  await writeFile(anchor, repository.anchor);
  const metadata = ['--metadata-dir', join(directory, 'trusted')];
  const run = (...args: readonly string[]) => exitCode(directory, args);

  assert.equal(await run(...metadata, '--metadata-url', `${url}/metadata`, 'refresh'), 1, 'nothing is trusted yet');
  assert.equal(await run(...metadata, 'init', anchor), 0);
  assert.equal(asked.length, 0, 'init asks for nothing');
  assert.equal(await run('refresh', ...metadata, '--metadata-url', `${url}/metadata/`), 0);
  const trusted = ['root.json', 'snapshot.json', 'targets.json', 'timestamp.json'];
  assert.deepEqual((await readdir(join(directory, 'trusted'))).sort(), trusted);

  const targets = ['--target-base-url', `${url}/targets`, '--target-dir', join(directory, 'targets')];
  const names = ['--target-name', 'dir/a b', '--target-name', 'second'];
  assert.equal(await run(...metadata, '--metadata-url', `${url}/metadata`, ...names, ...targets, 'download'), 0);
  const files = (await readdir(join(directory, 'targets'))).sort();
  const contents = await Promise.all(files.map(name => readFile(join(directory, 'targets', name), 'utf8')));
  assert.deepEqual(contents, ['first', 'second']);
  const before = asked.filter(path => path.startsWith('/targets')).length;
  assert.equal(await run(...metadata, '--metadata-url', `${url}/metadata`, ...names, ...targets, 'download'), 0);
  assert.equal(asked.filter(path => path.startsWith('/targets')).length, before, 'what is there is not fetched again');
  const missing = ['--target-name', 'missing'];
  assert.equal(await run(...metadata, '--metadata-url', `${url}/metadata`, ...missing, ...targets, 'download'), 1);
});

async function exitCode(cwd: string, args: readonly string[]): Promise<number> {
  return promisify(execFile)(CLIENT, args, { cwd }).then(
    () => 0,
    error => error.code,
  );
}
