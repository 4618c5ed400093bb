// Help, as a newcomer meets it: every command says what it does and what has to be given, and shows an example where something does.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from 'commander';
import * as agent from '../../agent/index.ts';
import { completionCommand } from '../../completion.ts';
import * as server from '../../server/index.ts';
import type { Terminal } from '../../terminal.ts';
import { processes } from '../support/processes.ts';

const terminal = () => ({}) as Terminal;
const made = Object.entries({ ...server, ...agent }).flatMap(([name, make]) =>
  name.endsWith('Command') ? [(make as (terminal: () => Terminal) => Command)(terminal)] : [],
);
const COMMANDS = [...made, completionCommand(terminal, () => made[0] as Command)].flatMap(command => all(command, ''));

interface Known {
  readonly path: string;
  readonly command: Command;
}

function all(command: Command, above: string): readonly Known[] {
  const path = `${above} ${command.name()}`.trim();
  return [{ path, command }, ...command.commands.flatMap(child => all(child, path))];
}

function helpOf(command: Command): string {
  let help = '';
  command.configureOutput({
    writeOut: text => {
      help += text;
    },
  });
  command.outputHelp();
  return help;
}

test('the tree is there', () => {
  const paths = COMMANDS.map(({ path }) => path);
  for (const path of ['server', 'trust key new', 'license issue', 'agent activate', 'completion']) {
    assert.ok(paths.includes(path), path);
  }
});

test('every command, argument and option says what it is', () => {
  for (const { path, command } of COMMANDS) {
    assert.notEqual(command.description(), '', path);
    for (const { description, flags } of command.options) assert.notEqual(description, '', `${path} ${flags}`);
    for (const argument of command.registeredArguments) assert.notEqual(argument.description, '', path);
  }
});

test('a command that needs something to be given shows an example of itself', () => {
  for (const { path, command } of COMMANDS) {
    const needsSomething =
      command.registeredArguments.some(argument => argument.required) || command.options.some(o => o.mandatory);
    if (!needsSomething || path === 'release publish') continue;
    const [, examples = ''] = helpOf(command).split(/\nExamples?[^\n]*:\n/);
    // `media` is put together by the command line.
    const words = path.replace(/^(export|import)$/, 'media $1');
    assert.ok(examples.includes(`  rollover ${words} `), `${path} has no example of itself`);
    for (const option of command.options.filter(({ mandatory }) => mandatory)) {
      assert.ok(examples.includes(option.long as string), `the example of ${path} lacks ${option.long}`);
    }
  }
});

test('what has to be given is marked, and no default is shown that is none', async () => {
  const product = await processes();
  try {
    const issue = (await product.run(['license', 'issue', '--help'])).stdout.replace(/\s+/g, ' ');
    assert.match(issue, /--customer <name> whose license it is \(required\)/);
    assert.doesNotMatch(issue, /--nodes <n> [^-]*\(required\)/);
    const run = (await product.run(['agent', '--help'])).stdout;
    assert.doesNotMatch(run, /default: \[\]/);
    const tree = (await product.run(['--help'])).stdout;
    assert.match(tree, /^ +status \[proposal\] /m);
    assert.match(tree, /^ +merge <proposal> <copies\.\.\.> /m);
  } finally {
    await product.dispose();
  }
});

test('a word that is nearly right is answered with the right one, at every level', async () => {
  const product = await processes();
  try {
    for (const [words, right] of [
      [['licence'], 'license'],
      [['license', 'lst'], 'list'],
      [['trust', 'key', 'nw'], 'new'],
      [['license', 'list', '--limt', '3'], '--limit'],
      [['agent', '--mirorr', 'x'], '--mirror'],
    ] as const) {
      assert.match((await product.run(words)).stderr, new RegExp(`Did you mean ${right}\\?`), words.join(' '));
    }
  } finally {
    await product.dispose();
  }
});
