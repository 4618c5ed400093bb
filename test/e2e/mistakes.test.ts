// One mistake of each kind on the command line: a clear sentence, what to do, and an exit code of its own kind.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { EXIT_CODES } from '../../signing/index.ts';
import { freePorts, LAUNCHER, type Processes, processes } from '../support/processes.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
let product: Processes;
before(async () => {
  service = await startTestService();
  product = await processes({
    ROLLOVER_TOKEN: service.token,
    ROLLOVER_SERVER: service.url,
    ROLLOVER_KEYS: service.keysDirectory,
  });
});
after(async () => {
  await product.dispose();
  await service.close();
});

/** The command fails with this kind's code, says what, and says what to do. */
async function fails(kind: keyof typeof EXIT_CODES, says: RegExp, args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await product.run(args);
  assert.equal(code, EXIT_CODES[kind], `exit ${code}: ${stderr}`);
  assert.match(stderr, says);
  assert.equal(stdout, '');
  assert.match(stderr, /What to do: [A-Z`]/);
  assert.doesNotMatch(stderr, /\bat file:|node:internal/, 'no stack trace');
}

async function releaseFile(name: string, change: (text: string) => string = text => text): Promise<string> {
  const directory = join(product.directory, name);
  await mkdir(join(directory, 'services'), { recursive: true });
  await writeFile(join(directory, 'services', 'file'), 'content');
  const text = `product: cloud\nversion: 9.0.0\nchannel: stable\ncomponents:\n  - {name: services, kind: files, directory: ./services}\n`;
  await writeFile(join(directory, 'release.yaml'), change(text));
  return join(directory, 'release.yaml');
}

test('words that do not exist', async () => {
  await fails('usage', /Unknown command 'relase'[\s\S]*Did you mean release/, ['relase']);
  await fails('usage', /Unknown option '--fast'/, ['release', 'publish', '--fast', 'x']);
  await fails('usage', /Missing required argument/, ['release', 'publish']);
  await fails('usage', /A port is a number/, ['server', '--port', 'many']);
});

test('addresses and paths that cannot be right are refused before anything is asked', async () => {
  await fails('usage', /Use an address such as/, ['license', 'list', '--server', 'localhost:8470']);
  await fails('usage', /An address has no path: use http:\/\/vendor/, [
    'license',
    'list',
    '--server',
    'http://vendor/api',
  ]);
  await fails('usage', /Use an address such as/, ['agent', '--cluster', 'cluster']);
  await fails('usage', /It is empty/, ['agent', '--data', '']);
});

test('a directory that nobody can make, such as one below /proc, is an error and not an endless loop', async () => {
  await fails('storage', /\/proc\/nothing/, ['server', '--data', '/proc/nothing/here']);
  const keys = ['trust', 'init', '--keys', '/proc/nothing/here', '--server', 'http://127.0.0.1:9'];
  await fails('network', /does not answer/, keys);
});

test('a release file that is missing, no YAML, or wrong in a field', async () => {
  await fails('input', /nowhere\.yaml cannot be read: it does not exist/, ['release', 'publish', 'nowhere.yaml']);
  const broken = await releaseFile('broken', () => 'product: [');
  await fails('input', /cannot be read/, ['release', 'publish', broken]);
  const wrong = await releaseFile('wrong', text => text.replace('9.0.0', 'new').replace('channel', 'chanel'));
  assert.match((await product.run(['release', 'publish', wrong])).stderr, /What to do: Correct \S+release\.yaml/);
  await fails('input', /version[\s\S]*chanel|chanel[\s\S]*version/, ['release', 'publish', wrong]);
  const number = await releaseFile('number', text => text.replace('9.0.0', '9.0'));
  const { stderr } = await product.run(['release', 'publish', number]);
  assert.match(stderr, /is not a release file: .* at version\.\n {2}What to do: Put the value in quotes/);
  const twice = await releaseFile('twice', text => `${text}  - {name: services, kind: files, directory: ./services}\n`);
  await fails('input', /two components have the same name/, ['release', 'publish', twice]);
});

test('a directory that is missing, or holds a device node, a socket or a link that points outside', async () => {
  const missing = await releaseFile('missing', text => text.replace('./services', './absent'));
  await fails('input', /absent is not a directory/, ['release', 'publish', missing]);

  const link = await releaseFile('link');
  await symlink('/etc/passwd', join(product.directory, 'link', 'services', 'out'));
  await fails('input', /out links to \/etc\/passwd/, ['release', 'publish', link]);

  const socket = await releaseFile('socket');
  const server = net.createServer().listen(join(product.directory, 'socket', 'services', 'sock'));
  await fails('input', /sock is a socket/, ['release', 'publish', socket]);
  server.close();

  if (process.getuid?.() === 0) {
    const device = await releaseFile('device');
    execFileSync('mknod', [join(product.directory, 'device', 'services', 'null'), 'c', '1', '3']);
    await fails('input', /null is a device node/, ['release', 'publish', device]);
  }
});

test('a kernel that the component does not have', async () => {
  const path = await releaseFile('kernel', text =>
    text.replace('kind: files', 'kind: microos, kernel: vmlinuz, initrd: file'),
  );
  await fails('input', /has no file vmlinuz/, ['release', 'publish', path]);
});

test('signing keys that are missing, and keys that would be overwritten', async () => {
  const path = await releaseFile('keys');
  await fails('usage', /no signing key/, ['release', 'publish', path, '--keys', product.directory]);
  await fails('conflict', /already has a root/, ['trust', 'init']);
});

test('a service that is not there, a token that is wrong', async () => {
  await fails('network', /does not answer/, ['license', 'list', '--server', 'http://127.0.0.1:9']);
  const file = join(product.directory, 'token');
  await writeFile(file, `rlv_${'x'.repeat(43)}`);
  await fails('usage', /needs a token/, ['license', 'list', '--token-file', file]);
  await fails('input', /no token file/, ['license', 'list', '--token-file', '/nowhere']);
});

test('a license file that is none, is for somebody else, was altered, or was revoked', async () => {
  const at = (name: string) => join(product.directory, name);
  await writeFile(at('none.json'), '{"hello":1}');
  const activate = (name: string, ...more: string[]) => ['agent', 'activate', at(name), '--data', at('site'), ...more];
  await fails('license', /is not a license file/, activate('none.json'));
  await fails('license', /absent\.json cannot be read: it does not exist/, activate('absent.json'));
  await fails('usage', /A name has 1 to 128/, activate('none.json', '--name', 'n'.repeat(129)));

  const { id, file } = await service.issue();
  await writeFile(at('good.json'), JSON.stringify(file));
  await fails('license', /trusts the root/, activate('good.json', '--root-fingerprint', '0'.repeat(64)));
  await writeFile(at('other-key.json'), JSON.stringify({ ...file, entitlementSecret: 'A'.repeat(43) }));
  await fails('license', /does not accept this license/, activate('other-key.json'));
  await fails('license', /does not include the channel edge/, activate('good.json', '--channel', 'edge'));
  await service.api.post(`/v1/licenses/${id}/revoke`, {});
  await fails('license', /does not accept this license/, activate('good.json'));
  await assert.rejects(readFile(join(at('site'), 'site.json')), { code: 'ENOENT' });
});

test('a site that is not activated, or activated twice', async () => {
  const site = join(product.directory, 'twice-site');
  await fails('license', /no activated site/, ['agent', '--data', site]);
  await fails('license', /no activated site/, ['media', 'import', product.directory, '--data', site]);
  const path = join(product.directory, 'twice.json');
  await writeFile(path, JSON.stringify((await service.issue()).file));
  await product.json(['agent', 'activate', path, '--data', site, '--root-fingerprint', service.fingerprint]);
  await fails('conflict', /already belongs/, ['agent', 'activate', path, '--data', site]);
});

test('a stick that is none, or for another site', async () => {
  const at = (name: string) => join(product.directory, name);
  await service.publish('1.0.0');
  const [mine, other] = [await service.issue(), await service.issue()];
  await writeFile(at('mine.json'), JSON.stringify(mine.file));
  await product.json(['agent', 'activate', at('mine.json'), '--data', at('mine'), '--offline']);
  const importing = (stick: string) => ['media', 'import', stick, '--data', at('mine')];
  await fails('media', /no folder/, importing(at('absent')));
  await mkdir(at('empty'));
  await fails('media', /no exported medium/, importing(at('empty')));
  await product.json(['media', 'export', at('stick'), '--license', other.id]);
  await fails('media', /is for license/, importing(at('stick')));
  await fails('input', /no license/, ['media', 'export', at('stick'), '--license', 'lic-none']);

  // An export that is refused leaves nothing behind, and an export never mixes with what is somebody else's.
  const edge = ['media', 'export', at('refused'), '--license', mine.id, '--channel', 'edge'];
  await fails('license', /does not include the channel edge; it has stable/, edge);
  const revoked = await service.issue();
  await service.api.post(`/v1/licenses/${revoked.id}/revoke`, {});
  await fails('license', /is revoked/, ['media', 'export', at('refused'), '--license', revoked.id]);
  assert.equal(existsSync(at('refused')), false);
  await mkdir(at('photos'));
  await writeFile(join(at('photos'), 'cat.jpg'), 'meow');
  await fails('media', /holds something else: cat\.jpg/, ['media', 'export', at('photos'), '--license', mine.id]);
  await fails('storage', /\/proc\/nothing/, ['media', 'export', '/proc/nothing/here', '--license', mine.id]);

  // A stick for somebody else with its label changed, and with what the service says too: neither is what opens it.
  await cp(at('stick'), at('relabeled'), { recursive: true });
  await product.json(['media', 'export', at('relabeled-right'), '--license', mine.id]);
  const take = (name: string) => cp(join(at('relabeled-right'), name), join(at('relabeled'), name));
  await take('rollover-media.json');
  await fails('integrity', /another license or another site/, importing(at('relabeled')));
  await take('director.jws');
  await fails('license', /does not open for license/, importing(at('relabeled')));
  await rm(join(at('relabeled'), 'wraps'), { recursive: true });
  await fails('media', /lacks the key/, importing(at('relabeled')));
});

test('a port in use, and a second service on the same data, which leaves the first one alone', async () => {
  const { port } = new URL(service.url);
  await fails('busy', /Port \d+ .* in use/, ['server', '--data', join(product.directory, 'second'), '--port', port]);
  const [other, feed] = (await freePorts([0, 0])) as [number, number];
  const again = ['server', '--data', join(service.directory, 'data'), '--port', `${other}`, '--feed-port', `${feed}`];
  await fails('busy', /Another service uses/, again);
  await product.json(['license', 'list']);
});

test('ports that cannot be had: one port for two things, an address of another machine, a cluster beside a cluster', async () => {
  const server = ['server', '--data', join(product.directory, 'ports')];
  await fails('usage', /--feed-port: It is the port of --port/, [...server, '--port', '18470', '--feed-port', '18470']);
  await fails('usage', /this machine does not have the address/, [...server, '--host', '192.0.2.1']);
  const { port } = new URL(service.url);
  await fails('busy', /Cannot listen 127\.0\.0\.1:\d+: it is in use/, ['simulate', '--port', port]);
});

test('a database or a queue that is not there is told at once, without its password', async () => {
  const [port, feed] = (await freePorts([0, 0])) as [number, number];
  const data = ['--data', join(product.directory, 'elsewhere')];
  const args = ['server', ...data, '--port', `${port}`, '--feed-port', `${feed}`];
  const settings = [
    { DATABASE_URL: 'postgres://me:secret@127.0.0.1:9/mine' },
    { REDIS_URL: 'redis://:secret@127.0.0.1:9' },
  ];
  for (const environment of settings) {
    const elsewhere = await processes(environment);
    const { code, stderr } = await elsewhere.run(args);
    await elsewhere.dispose();
    assert.equal(code, EXIT_CODES.network, stderr);
    assert.match(stderr, /at 127\.0\.0\.1:9 cannot be used: nobody listens there\./);
    assert.doesNotMatch(stderr, /secret/);
  }
});

test('whoever reads the output may stop reading', async () => {
  const head = spawn('sh', ['-c', '"$0" "$1" license list | true', process.execPath, LAUNCHER], {
    env: { ...process.env, ROLLOVER_TOKEN: service.token, ROLLOVER_SERVER: service.url },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  head.stderr.on('data', part => {
    stderr += part;
  });
  await once(head, 'close');
  assert.equal(stderr, '');
});

test('a license that would end on a day that no calendar has, or that is over', async () => {
  const issue = [
    'license',
    'issue',
    '--customer',
    'Acme',
    '--product',
    'cloud',
    '--out',
    join(product.directory, 'no'),
  ];
  await fails('usage', /Use a date such as/, [...issue, '--expires', '2027-02-30']);
  await fails('usage', /Use a date such as/, [...issue, '--expires', 'tomorrow']);
  await fails('usage', /That day is over/, [...issue, '--expires', '2020-01-01']);
});

test('a threshold that no number of keys can meet', async () => {
  await fails('usage', /threshold of 2 needs more than 1 root key/, ['trust', 'init', '--root-threshold', '2']);
});

test('stopped twice, as a terminal and a service manager do, the service still stops in order', async () => {
  const [port, feed] = (await freePorts([0, 0])) as [number, number];
  const server = await product.start(['server', '--data', 'stopped', '--port', `${port}`, '--feed-port', `${feed}`]);
  process.kill(server.pid, 'SIGINT');
  process.kill(server.pid, 'SIGTERM');
  assert.equal(await server.exitCode, 0);
});

test('an agent that is not there, a plan that is none', async () => {
  await fails('usage', /64 hexadecimal digits/, ['apply', 'abc']);
  const ports = ['--console-port', '18480', '--boot-port', '18480'];
  await fails('usage', /cannot both have port 18480/, ['agent', '--data', join(product.directory, 'nobody'), ...ports]);
  await fails('network', /no agent in/, ['status', '--data', join(product.directory, 'nobody')]);
});

test('with --json, an error is one JSON document on stderr and stdout is empty', async () => {
  const mistakes: [keyof typeof EXIT_CODES, string[]][] = [
    ['input', ['release', 'publish', 'nowhere.yaml']],
    ['usage', ['release', 'publish']],
    ['usage', ['license', 'list', '--fast']],
  ];
  for (const [kind, args] of mistakes) {
    const { code, stdout, stderr } = await product.run([...args, '--json']);
    assert.equal(code, EXIT_CODES[kind]);
    assert.equal(stdout, '');
    assert.deepEqual(Object.keys(JSON.parse(stderr).error), ['code', 'message', 'hint']);
  }
});

test('--help shows the whole tree of commands, and every command has a help of its own', async () => {
  const { code, stdout } = await product.run(['--help']);
  assert.equal(code, 0);
  for (const path of [
    'server',
    'trust init',
    'release publish',
    'license issue',
    'agent activate',
    'media import',
    'simulate',
  ]) {
    const words = path.split(' ');
    assert.match(stdout, new RegExp(`^ +${words.at(-1)} `, 'm'));
    const help = await product.run([...words, '--help']);
    assert.equal(help.code, 0);
    assert.match(help.stdout, new RegExp(`Usage: rollover ${path}`));
  }
});
