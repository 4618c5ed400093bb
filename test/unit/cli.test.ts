// The command line's own parts: what words may be, and how what was thrown is told.
import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseMirrors, parseRelays } from '../../agent/cli/options.ts';
import { parsePath, parsePort, parseUrl } from '../../arguments.ts';
import { asSystemError, ensureDirectory } from '../../signing/index.ts';
import { table } from '../../terminal.ts';
import { rejectsWith } from '../support/errors.ts';
import { temporary } from '../support/temporary.ts';

test('an address is a scheme, a host and perhaps a port', () => {
  assert.equal(parseUrl('http://127.0.0.1:8470/'), 'http://127.0.0.1:8470');
  assert.equal(parseUrl('https://vendor.example'), 'https://vendor.example');
  for (const text of [
    '',
    'vendor',
    'localhost:8470',
    'ftp://x',
    'http://',
    'http://x/api',
    'http://a:b@x',
    'http://x?y',
  ]) {
    assert.throws(() => parseUrl(text), { code: 'commander.invalidArgument' }, text);
  }
});

test('a relay is an address without a path; it is named once, and there are not too many', () => {
  assert.deepEqual(parseRelays('http://10.0.0.5:8482/', []), ['http://10.0.0.5:8482']);
  for (const text of ['10.0.0.5:8482', 'ftp://relay', 'http://relay/folder', 'http://user:word@relay']) {
    assert.throws(() => parseRelays(text, []), { code: 'commander.invalidArgument' }, text);
  }
  assert.throws(() => parseRelays('http://relay', ['http://relay']), /named twice/);
  const four = [1, 2, 3, 4].map(i => `http://relay-${i}`);
  assert.throws(() => parseRelays('http://relay-5', four), /At most 4/);
});

test('a mirror is a folder on a web server; it is named once, and there are not too many', () => {
  assert.deepEqual(parseMirrors('https://mirror.example/', []), ['https://mirror.example']);
  assert.deepEqual(parseMirrors('http://127.0.0.1:8080/a/b/', ['x']), ['x', 'http://127.0.0.1:8080/a/b']);
  for (const text of ['', '/folder', 'ftp://x/y', 'https://user:secret@x/y', 'https://x/y?z', 'https://x/y#z']) {
    assert.throws(() => parseMirrors(text, []), { code: 'commander.invalidArgument' }, text);
  }
  const four = [1, 2, 3, 4].map(i => `http://mirror-${i}.example`);
  assert.throws(() => parseMirrors('http://mirror-2.example/', four.slice(0, 3)), /named twice/);
  assert.throws(() => parseMirrors('http://mirror-5.example', four), /At most 4/);
});

test('a port is a number, a path is not empty', () => {
  assert.equal(parsePort('8470'), 8470);
  for (const text of ['', '0', '65536', '1e3', '0x10', ' 80', '-1']) assert.throws(() => parsePort(text), text);
  assert.equal(parsePath('.'), '.');
  assert.throws(() => parsePath(''));
});

test('what the operating system says becomes a sentence, a hint and a stable code', async t => {
  const directory = await temporary(t);
  await writeFile(join(directory, 'file'), '');
  const missing = asSystemError(await readdir(join(directory, 'absent')).catch(error => error));
  assert.equal(missing?.code, 'path-missing');
  assert.match(missing.message, /^Cannot scandir .*absent: it does not exist\.$/);
  const wrong = asSystemError(await readdir(join(directory, 'file')).catch(error => error));
  assert.equal(wrong?.code, 'path-unusable');
  const refused = await new Promise(resolve => connect(9, '127.0.0.1').once('error', resolve));
  assert.match(asSystemError(refused)?.message ?? '', /^Cannot connect 127\.0\.0\.1:9: nobody listens there\.$/);
  assert.equal(asSystemError(new TypeError('fetch failed', { cause: refused }))?.code, 'connection-failed');
  assert.equal(asSystemError(new Error('a fault of our own')), undefined);
});

test('a directory is made with its parents, and one that cannot be made is an error at once', async t => {
  const directory = await temporary(t);
  const path = join(directory, 'a', 'b', 'c');
  await Promise.all([ensureDirectory(path), ensureDirectory(path)]);
  await ensureDirectory(path);
  await writeFile(join(path, 'file'), '');
  await rejectsWith('directory-unusable', () => ensureDirectory(join(path, 'file')));
  await rejectsWith('directory-unusable', () => ensureDirectory(join(path, 'file', 'below')));
  await rejectsWith('directory-unusable', () => ensureDirectory('/proc/nothing/here'));
});

test('columns of a table stand below each other in a terminal, whatever letters and controls are in the cells', () => {
  const rows = [
    ['日本', 'x'],
    ['e\u0301', 'x'],
    ['abcdef', 'x'],
    ['a\u001b[31mb', 'x'],
    ['', 'x'],
  ];
  const lines = table(['name', 'end'], rows).split('\n');
  assert.equal(lines[0], 'name     end');
  assert.equal(lines[1], `日本${' '.repeat(5)}x`, 'two columns a letter');
  assert.equal(lines[2], `e\u0301${' '.repeat(8)}x`, 'none for an accent');
  assert.equal(lines[3], `abcdef${' '.repeat(3)}x`);
  assert.equal(lines[4], `a\ufffd[31mb${' '.repeat(2)}x`, 'nothing that a terminal would obey');
  assert.equal(lines[5], `${' '.repeat(9)}x`);
});
