// The packed product: it installs in an empty folder elsewhere, needs nothing of this checkout, and runs.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePorts, processes } from '../support/processes.ts';
import { writeReleaseTree } from '../support/release-tree.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rollover-pack-'));
  await chmod(folder, 0o755);
  await run('npm', ['pack', '--pack-destination', folder], { cwd: ROOT });
  const tarball = (await readdir(folder)).find(name => name.endsWith('.tgz')) as string;
  await mkdir(join(folder, 'elsewhere'));
  await writeFile(join(folder, 'elsewhere', 'package.json'), '{"private":true}');
  await run('npm', ['install', '--no-audit', '--no-fund', join(folder, tarball)], { cwd: join(folder, 'elsewhere') });
});
after(() => rm(folder, { recursive: true, force: true }));

test('the package holds compiled code and the console, and neither sources nor tests', async () => {
  const installed = join(folder, 'elsewhere', 'node_modules', 'rollover');
  const names = await readdir(installed, { recursive: true });
  assert.ok(names.includes('rollover.js') && names.includes(join('dist', 'cli.js')));
  assert.ok(existsSync(join(installed, 'dist', 'agent', 'console', 'dist', 'index.html')));
  assert.ok(names.includes(join('dist', 'server', 'http', 'swagger-ui', 'NOTICE')));
  const others = await readdir(join(folder, 'elsewhere', 'node_modules'));
  assert.ok(!others.includes('@scarf') && !others.includes('swagger-ui-dist'), 'nothing that reports installations');
  assert.deepEqual(
    names.filter(name => /\.tsx?$|^test|^docs/.test(name)),
    [],
  );
});

test('installed elsewhere, its help shows the commands, also when the system’s own Node starts it', async () => {
  // Without the folders that npm puts first, `node` is the system's: an older one hands over to the one in the package.
  const PATH = (process.env['PATH'] ?? '').split(':').filter(part => !part.includes('node_modules'));
  const env = { ...process.env, PATH: PATH.join(':') };
  const command = join(folder, 'elsewhere', 'node_modules', '.bin', 'rollover');
  const { stdout } = await run(command, ['--help'], { env });
  for (const name of ['server', 'publish', 'activate', 'import']) assert.match(stdout, new RegExp(`^ +${name} `, 'm'));
});

test('installed elsewhere, it runs the service and publishes a release', async () => {
  const launcher = join(folder, 'elsewhere', 'node_modules', 'rollover', 'rollover.js');
  const product = await processes({}, launcher);
  try {
    const [port, feedPort] = (await freePorts([0, 0])) as [number, number];
    const server = await product.start([
      'server',
      '--data',
      'service',
      '--port',
      `${port}`,
      '--feed-port',
      `${feedPort}`,
    ]);
    const at = [
      '--server',
      server.ready['url'] as string,
      '--token-file',
      server.ready['adminToken'] as string,
      '--keys',
      'keys',
    ];
    await product.json(['trust', 'init', ...at]);
    const page = await fetch(new URL('/v1/docs', server.ready['url']));
    assert.equal(page.status, 200);
    const loads = [...(await page.text()).matchAll(/"(\/v1\/docs\/[^"]+)"/g)].map(match => match[1] as string);
    assert.equal(loads.length, 3);
    for (const path of loads) assert.equal((await fetch(new URL(path, server.ready['url']))).status, 200, path);
    const tree = { version: '1.0.0', notes: '', kernelBytes: 100_000, initrdBytes: 100_000, runtime: false };
    const path = await writeReleaseTree(join(product.directory, 'release'), tree);
    const published = await product.json<{ version: string }>(['release', 'publish', path, ...at]);
    assert.equal(published.version, '1.0.0');
  } finally {
    await product.dispose();
  }
});
