// Backups with the real commands: taken beside a running service, restored after it is gone, by processes that are killed on the way.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT_CODES } from '../../signing/index.ts';
import { randomFrom } from '../support/killing.ts';
import { freePorts, LAUNCHER, type Processes, processes, type Running } from '../support/processes.ts';
import { writeReleaseTree } from '../support/release-tree.ts';

const SEED = Number(process.env['SEED'] ?? 19);
const KILLS = 6;

let product: Processes;
let running: Running;
let ports: readonly string[];
let service: readonly string[];
const at = (name: string) => join(product.directory, name);
const isThere = async (name: string) => (await stat(at(name)).catch(() => undefined)) !== undefined;
const failure = (stderr: string) => (JSON.parse(stderr) as { error: { code: string } }).error.code;

before(async () => {
  product = await processes();
  const [port, feedPort] = (await freePorts([0, 0])).map(String) as [string, string];
  ports = ['--port', port, '--feed-port', feedPort];
  running = await product.start(['server', '--data', at('server'), ...ports]);
  service = ['--server', `http://127.0.0.1:${port}`, '--token-file', at('server/admin.token')];
  await product.json(['trust', 'init', '--keys', at('keys'), ...service]);
  const tree = { version: '1.0.0', notes: 'first', kernelBytes: 300_000, initrdBytes: 8_000_000, runtime: false };
  const release = await writeReleaseTree(at('release'), tree);
  await product.json(['release', 'publish', release, '--keys', at('keys'), ...service]);
  const order = ['--customer', 'Acme', '--product', 'cloud', '--out', at('license.json')];
  await product.json(['license', 'issue', ...order, ...service]);
});
after(() => product.dispose());

interface Taken {
  readonly status: string;
  readonly backup: string;
  readonly newObjects: number;
  readonly objects: { readonly count: number };
}

const create = () => product.json<Taken>(['server', 'backup', 'create', at('backups'), '--data', at('server')]);

test('a backup is taken beside the running service, listed, and read to its last byte', async () => {
  const first = await create();
  assert.equal(first.status, 'ok');
  assert.ok(first.newObjects > 0);
  assert.equal(first.newObjects, first.objects.count);
  const second = await create();
  assert.equal(second.newObjects, 0);
  const listed = await product.json<Taken[]>(['server', 'backup', 'list', at('backups')]);
  assert.deepEqual(
    listed.map(({ backup }) => backup),
    [first.backup, second.backup],
  );
  const text = (await product.run(['server', 'backup', 'list', at('backups')])).stdout;
  assert.match(text, /^backup +taken at/);
  const verified = await product.json<Taken>(['server', 'backup', 'verify', at('backups'), '--data', at('server')]);
  assert.deepEqual([verified.status, verified.backup], ['ok', second.backup]);
});

test('what cannot be is refused with a code: no key, a wrong one, no service, a place in use', async () => {
  for (const [code, words] of [
    ['backup-key', ['backup', 'verify', at('backups'), '--data', at('nowhere')]],
    ['config-invalid', ['backup', 'verify', at('backups'), '--key-file', at('license.json')]],
    ['backup-key', ['backup', 'create', at('backups'), '--data', at('nowhere')]],
    ['backup-missing', ['backup', 'verify', at('backups'), '--data', at('server'), '--backup', 'yesterday']],
    ['server-running', ['restore', at('backups'), '--data', at('server')]],
  ] as const) {
    const { stderr, code: exit } = await product.run(['server', ...words, '--json']);
    assert.equal(failure(stderr), code, words.join(' '));
    assert.ok(exit > 1 && exit !== EXIT_CODES.interrupted);
  }
});

test('the service is lost and restored by processes that are killed: it starts when one has come to its end, and not before', async t => {
  const { backup } = await create();
  await cp(at('server/server.key'), at('server.key'));
  await cp(at('server/admin.token'), at('admin.token'));
  await running.stop();
  await rm(at('server'), { recursive: true });

  const restore = [
    'server',
    'restore',
    at('backups'),
    '--key-file',
    at('server.key'),
    '--data',
    at('server'),
    '--json',
  ];
  const timing = performance.now();
  await product.json([...restore.slice(0, -1).with(-1, at('timing'))]);
  const wholeMs = performance.now() - timing;
  const random = randomFrom(SEED);
  let marked = 0;
  let isDone = false;
  for (let i = 0; i < KILLS; i++) {
    const all = ['--disable-warning=ExperimentalWarning', LAUNCHER, ...restore];
    const child = spawn(process.execPath, all, { stdio: 'ignore' });
    const ended = once(child, 'close');
    await sleep(wholeMs * (0.3 + 0.4 * random()));
    child.kill('SIGKILL');
    await ended;
    const isMarked = await isThere('server/restoring.json');
    // The later ones have little left to do: one may have come to its end.
    isDone = !isMarked && (await isThere('server/postgres'));
    if (isDone) break;
    if (!isMarked) continue;
    marked++;
    const { stderr, code: exit } = await product.run(['server', '--data', at('server'), ...ports, '--json']);
    assert.equal(failure(stderr), 'restore-unfinished');
    assert.equal(exit, EXIT_CODES.conflict);
  }
  t.diagnostic(`seed ${SEED}: killed ${KILLS} times within ${wholeMs.toFixed(0)} ms, ${marked} of them in the middle`);
  assert.ok(marked > 0, 'at least one was killed in the middle');
  if (!isDone) assert.equal((await product.json<Taken>(restore.slice(0, -1))).backup, backup);

  await cp(at('admin.token'), at('server/admin.token'));
  running = await product.start(['server', '--data', at('server'), ...ports]);
  const releases = await product.json<{ version: string; state: string }[]>(['release', 'list', ...service]);
  assert.deepEqual(
    releases.map(({ version, state }) => [version, state]),
    [['1.0.0', 'published']],
  );
  const licenses = await product.json<unknown[]>(['license', 'list', ...service]);
  assert.equal(licenses.length, 1);
  await product.json(['audit', 'export', '--out', at('audit.jsonl'), ...service]);
  await product.json(['audit', 'verify', at('audit.jsonl')]);
  assert.equal((await create()).newObjects, 0, 'and is backed up again, in the same folder');
  assert.ok((await readdir(at('backups'))).length > 3);
});
