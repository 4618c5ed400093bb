// `rollover token` and `rollover member`, in this process, against the calls they make.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Command, CommanderError } from 'commander';
import { memberCommand, tokenCommand } from '../../../server/index.ts';
import type { Terminal } from '../../../terminal.ts';
import { startTestAccess, type TestAccess } from '../../support/access.ts';
import { rejectsWith } from '../../support/errors.ts';

interface Result {
  // biome-ignore lint/suspicious/noExplicitAny: what a command answers as JSON
  readonly value: any;
  readonly text: string;
}

let t: TestAccess;
let directory: string;
let server: Server;
let service: readonly string[];
before(async () => {
  t = await startTestAccess();
  directory = await mkdtemp(join(tmpdir(), 'rollover-cli-access-'));
  const tokenFile = join(directory, 'token');
  await writeFile(tokenFile, t.admin.secret);
  server = await new Promise(resolve => {
    const listening = t.app.listen(0, '127.0.0.1', () => resolve(listening));
  });
  service = ['--server', `http://127.0.0.1:${(server.address() as AddressInfo).port}`, '--token-file', tokenFile];
});
after(async () => {
  await new Promise(resolve => server.close(resolve));
  await t.close();
  await rm(directory, { recursive: true, force: true });
});

async function run(make: (terminal: () => Terminal) => Command, ...words: readonly string[]): Promise<Result> {
  let result: Result | undefined;
  const terminal = {
    result: (value: unknown, text: string) => {
      result = { value: JSON.parse(JSON.stringify(value)), text };
    },
  } as Terminal;
  const command = make(() => terminal);
  for (const each of [command, ...command.commands]) each.exitOverride().configureOutput({ writeErr: () => undefined });
  await command.parseAsync([...words, ...service], { from: 'user' });
  assert.ok(result, 'it says something');
  return result;
}

const token = (...words: readonly string[]) => run(tokenCommand, ...words);
const member = (...words: readonly string[]) => run(memberCommand, ...words);

test('a token is made, shown once, listed and revoked', async () => {
  const expires = new Date(Date.now() + 400 * 24 * 3600_000).toISOString().slice(0, 10);
  const limits = ['--product', 'cloud', '--expires', expires];
  const { value, text } = await token('create', 'nightly', '--scope', 'release:read', 'release:write', ...limits);
  assert.match(text, /rlv_[\w-]{43}\nThis is the only time/);
  await t.token(value.token).call('get', '/v1/session').expect(200);
  const listed = await token('list');
  assert.ok(!listed.text.includes(value.token));
  const line = listed.text.split('\n').find(row => row.includes('nightly'));
  assert.match(line ?? '', new RegExp(`release:read release:write +cloud +token:admin +${expires}T23:59:59.000Z`));
  assert.match(listed.text, /admin +all +all +never/);
  assert.equal((await token('revoke', value.id)).value.status, 'revoked');
  await t.token(value.token).call('get', '/v1/session').expect(401);
  await rejectsWith('not-found', () => token('revoke', value.id));
  assert.ok(!(await token('list')).text.includes('nightly'));
});

test('a list goes on over all of its pages', async () => {
  for (let i = 0; i < 201; i++) await t.admin.make(['site:read']);
  const { value } = await token('list');
  assert.equal(value.length, 202);
  assert.equal(new Set(value.map(({ id }: { id: string }) => id)).size, 202);
});

test('scopes and roles that there are not are wrong words', async () => {
  await assert.rejects(token('create', 'x', '--scope', 'moon:write'), CommanderError);
  await assert.rejects(token('create', 'x'), CommanderError);
  await assert.rejects(member('invite', 'a@example.com', '--role', 'emperor'), CommanderError);
  await assert.rejects(member('role', 'a@example.com', 'emperor'), CommanderError);
});

test('a member is invited, listed, given another role and removed, by address or by id', async () => {
  const invited = await member('invite', 'Grace@example.com', '--role', 'support');
  assert.match(invited.text, /^grace@example\.com is invited as support, until .*\nrlo_[\w-]{43}\n/);
  await rejectsWith('request-invalid', () => member('invite', 'nobody', '--role', 'support'));
  const { email, id } = await t.member('support');
  assert.match((await member('list')).text, new RegExp(`${id} +${email} +${email} +support +password`));
  assert.match((await member('role', email, 'auditor')).text, /is auditor now/);
  assert.equal((await member('role', id, 'license-desk')).value.role, 'license-desk');
  assert.equal((await member('remove', email.toUpperCase())).value.id, id);
  await rejectsWith('not-found', () => member('remove', email));
  await rejectsWith('not-found', () => member('role', id, 'auditor'));
});
