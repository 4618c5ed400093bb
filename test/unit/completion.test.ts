// The scripts of `rollover completion`, in the shells that they are for.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { ROLE_NAMES } from '../../server/access/scopes.ts';
import { EXIT_CODES } from '../../signing/index.ts';
import { type Processes, processes } from '../support/processes.ts';

const run = promisify(execFile);

let product: Processes;
const scripts = new Map<string, string>();
before(async () => {
  product = await processes();
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { stdout } = await product.run(['completion', shell]);
    const path = join(product.directory, `completion.${shell}`);
    await writeFile(path, stdout);
    scripts.set(shell, path);
  }
  await writeFile(join(product.directory, 'release.yaml'), '');
});
after(() => product.dispose());

function without(shell: string): string | false {
  try {
    execFileSync(shell, ['-c', 'true']);
    return false;
  } catch {
    process.stderr.write(`skipped: ${shell} is not installed (apt-get install ${shell})\n`);
    return `${shell} is not installed`;
  }
}

/** What bash offers with the cursor at the end of these words. */
async function completed(...words: readonly string[]): Promise<readonly string[]> {
  const program = `source "$1"; shift
    COMP_LINE="rollover $*"; COMP_POINT=\${#COMP_LINE}
    "$(complete -p rollover | sed 's/.*-F \\([^ ]*\\).*/\\1/')" rollover
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const script = scripts.get('bash') as string;
  const { stdout } = await run('bash', ['--norc', '-uc', program, 'bash', script, ...words], {
    cwd: product.directory,
  });
  return stdout.split('\n').filter(word => word !== '');
}

const bash = { skip: without('bash') };

test('bash completes commands, down the tree', bash, async () => {
  const first = await completed('');
  for (const name of ['server', 'license', 'agent', 'completion']) assert.ok(first.includes(name), name);
  assert.deepEqual(await completed('lic'), ['license']);
  assert.deepEqual(await completed('license', 'rev'), ['revoke', 'revoke-certificate']);
  assert.deepEqual(await completed('trust', 'key', ''), ['new', 'show']);
  assert.deepEqual(await completed('nonsense', 'lic'), ['license'], 'what is no command leads nowhere');
});

test('bash completes the options of the command that stands there, and no other’s', bash, async () => {
  assert.deepEqual(await completed('license', 'list', '--l'), ['--limit']);
  assert.deepEqual(await completed('server', '--public-'), ['--public-url', '--public-feed', '--public-mtls-port']);
  assert.deepEqual(await completed('license', 'list', '--public-'), []);
  for (const words of [['license', 'list'], ['agent'], ['media', 'export'], []]) {
    assert.ok((await completed(...words, '--h')).includes('--help'), words.join(' '));
  }
});

test('bash completes choices, of options and of arguments', bash, async () => {
  assert.deepEqual(await completed('license', 'list', '-o', ''), ['table', 'json']);
  assert.deepEqual(await completed('license', 'list', '--output', 'j'), ['json']);
  assert.deepEqual(await completed('member', 'invite', 'a@b.example', '--role', ''), ROLE_NAMES);
  assert.deepEqual(await completed('completion', 'z'), ['zsh']);
  assert.deepEqual(
    await completed('token', 'create', 'x', '--scope', 'webhook:w'),
    ['write'],
    'bash goes on after colons',
  );
});

test('a value is taken for a value, also when it is called as a command is', bash, async () => {
  assert.deepEqual(await completed('release', 'list', '--product', 'gc', '--l'), ['--limit']);
  assert.deepEqual(await completed('server', '--data', ''), [], 'files are left to bash');
  assert.ok((await completed('trust', 'request', '--rotate-online-keys', '--o')).includes('--out'));
});

test('bash completes files where no word of ours fits', bash, async () => {
  const registered = await run('bash', [
    '--norc',
    '-c',
    'source "$1"; complete -p rollover',
    'x',
    `${scripts.get('bash')}`,
  ]);
  assert.match(registered.stdout, /-o default/);
  assert.deepEqual(await completed('release', 'publish', 'rel'), []);
});

test('zsh and fish accept their scripts', async t => {
  for (const shell of ['zsh', 'fish']) {
    await t.test(shell, { skip: without(shell) }, async () => {
      await run(shell, ['-n', scripts.get(shell) as string]);
    });
  }
});

test('fish completes commands, options and choices', { skip: without('fish') }, async () => {
  const ask = async (line: string) => {
    const { stdout } = await run('fish', ['-c', `source ${scripts.get('fish')}; complete -C "$argv[1]"`, line]);
    return stdout.split('\n').flatMap(row => row.split('\t')[0] || []);
  };
  assert.deepEqual(await ask('rollover lic'), ['license']);
  assert.deepEqual(await ask('rollover license list --li'), ['--limit']);
  assert.deepEqual((await ask('rollover license list -o ')).toSorted(), ['json', 'table']);
  assert.deepEqual(await ask('rollover release list --product gc --li'), ['--limit']);
});

test('a shell that there is no script for is a wrong word', async () => {
  const { code, stderr } = await product.run(['completion', 'tcsh']);
  assert.equal(code, EXIT_CODES.usage);
  assert.match(stderr, /Allowed choices are bash, zsh, fish/);
});
