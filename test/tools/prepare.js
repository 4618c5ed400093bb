// Makes a fresh checkout ready: npm packages, the servers that tests talk to, the console. Says what it does while it does
// it, and does only what is missing. Plain JavaScript without packages: it runs before there are any.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const BIN = join(ROOT, 'node_modules', '.bin');

/** What tests talk to, and which tests need it. */
const DEBIAN_PACKAGES = [
  { name: 'chromium', command: '/usr/bin/chromium', tests: 'the console in a browser' },
  { name: 'ceph-mon', command: '/usr/bin/ceph-mon', tests: 'the S3 store against a real service' },
  { name: 'ceph-mgr', command: '/usr/bin/ceph-mgr', tests: 'the S3 store against a real service' },
  { name: 'ceph-osd', command: '/usr/bin/ceph-osd', tests: 'the S3 store against a real service' },
  { name: 'radosgw', command: '/usr/bin/radosgw', tests: 'the S3 store against a real service' },
  { name: 'attr', command: '/usr/bin/setfattr', tests: 'extended attributes' },
  { name: 'openssl', command: '/usr/bin/openssl', tests: 'impostors with certificates' },
  { name: 'opensc', command: '/usr/bin/pkcs11-tool', tests: 'signing keys on a token' },
  { name: 'softhsm2', command: '/usr/bin/softhsm2-util', tests: 'signing keys on a token' },
  { name: 'fonts-dejavu-core', command: '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf', tests: 'its pictures' },
];

const purpose = process.argv[2];
requireNode(20);
installPackages();
if (purpose === 'test') installServers();
buildConsole();

function requireNode(major) {
  if (Number(process.versions.node.split('.')[0]) >= major) return;
  fail(`Node ${major} or newer is needed; this is ${process.version}.`);
}

/** npm writes its own copy of the lockfile last: it is the sign of a finished installation. */
function installPackages() {
  const installed = join(ROOT, 'node_modules', '.package-lock.json');
  if (existsSync(installed) && age(installed) >= age(join(ROOT, 'package-lock.json'))) return;
  say('installing npm packages (npm ci)');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
}

function installServers() {
  const missing = DEBIAN_PACKAGES.filter(({ command }) => !existsSync(command));
  if (missing.length === 0) return;
  const line = `apt-get install --no-install-recommends -y ${missing.map(({ name }) => name).join(' ')}`;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    say(
      `not root on Debian, so these tests are skipped: ${[...new Set(missing.map(({ tests }) => tests))].join(', ')}.`,
    );
    say(`to run them: ${line}`);
    return;
  }
  say(`installing what the tests talk to: ${line}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  run('apt-get', ['update', '-qq'], env, 'ignore');
  run('apt-get', [...line.split(' ').slice(1), '-qq'], env, 'ignore');
}

function buildConsole() {
  const built = join(ROOT, 'agent', 'console', 'dist', 'index.html');
  const newest = newestFile(join(ROOT, 'agent', 'console'), new Set(['dist']));
  if (existsSync(built) && age(built) >= newest) return;
  say('building the console');
  run(join(BIN, 'vite'), ['build', '--config', join('agent', 'console', 'vite.config.ts')]);
}

function newestFile(directory, skipped) {
  const times = readdirSync(directory, { withFileTypes: true })
    .filter(entry => !skipped.has(entry.name))
    .map(entry => {
      const path = join(directory, entry.name);
      return entry.isDirectory() ? newestFile(path, skipped) : age(path);
    });
  return Math.max(0, ...times);
}

function age(path) {
  return statSync(path).mtimeMs;
}

function run(command, args, env = process.env, stdout = 'inherit') {
  // The Node that npm brought comes first, so that tools run on the version they were chosen for.
  const PATH = `${BIN}:${env.PATH}`;
  const { status, error } = spawnSync(command, args, {
    cwd: ROOT,
    stdio: ['ignore', stdout, 'inherit'],
    env: { ...env, PATH },
  });
  if (status !== 0) fail(`${command} ${args.join(' ')} failed${error ? `: ${error.message}` : ''}.`);
}

function say(text) {
  process.stderr.write(`· ${text}\n`);
}

function fail(text) {
  process.stderr.write(`${text}\n`);
  process.exit(1);
}
