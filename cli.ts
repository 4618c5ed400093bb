// The command line: puts the commands of the rooms into one tree and turns errors into sentences and exit codes.
import process from 'node:process';
import { Command, CommanderError, Help } from 'commander';
import {
  agentCommand,
  applyCommand,
  mediaImportCommand,
  planCommand,
  simulateCommand,
  statusCommand,
} from './agent/index.ts';
import {
  licenseCommand,
  mediaExportCommand,
  releaseCommand,
  serverCommand,
  siteCommand,
  trustCommand,
} from './server/index.ts';
import { EXIT_CODES, RolloverError } from './signing/index.ts';
import { terminal } from './terminal.ts';
import { VERSION } from './version.ts';

const HELP_WIDTH = 110;

let json = false;
const out = () => terminal(json);
const media = new Command('media').description('carry updates to sites without a network');
for (const make of [mediaExportCommand, mediaImportCommand]) media.addCommand(make(out));

/** The tree, in the order in which people meet it. */
const GROUPS: Readonly<Record<string, readonly Command[]>> = {
  'The vendor': [serverCommand, trustCommand, releaseCommand, licenseCommand, siteCommand].map(make => make(out)),
  'Both sides of an air gap': [media],
  'The site': [agentCommand, statusCommand, planCommand, applyCommand, simulateCommand].map(make => make(out)),
};

const program = new Command('rollover')
  .description('Updates and licenses for private clouds.')
  .version(VERSION)
  .enablePositionalOptions()
  .showSuggestionAfterError(true)
  .exitOverride()
  .configureHelp({ helpWidth: HELP_WIDTH, formatHelp: withoutCommandList })
  .addHelpText('after', commandTree)
  .hook('preAction', (_program, action) => {
    json = action.opts<{ json?: boolean }>().json ?? false;
  });
for (const command of Object.values(GROUPS).flat()) {
  program.addCommand(command);
  prepare(command);
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** Options belong to the command they follow: `agent activate --data` is not the agent's own `--data`. */
function prepare(command: Command): void {
  command.exitOverride().enablePositionalOptions().configureHelp({ helpWidth: HELP_WIDTH }).helpCommand(false);
  const isGroup = command.commands.length > 0 && command.name() !== 'agent';
  if (!isGroup) command.option('--json', 'the result as JSON on stdout, and nothing else');
  for (const child of command.commands) prepare(child);
}

/** Says what happened and what to do, and picks the exit code. Commander has already printed its own errors. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_CODES.usage;
  if (error instanceof RolloverError) {
    if (json) {
      const { code, message, hint } = error;
      process.stderr.write(`${JSON.stringify({ error: { code, message, hint } })}\n`);
    } else process.stderr.write(`rollover: ${error.message}\n  What to do: ${error.hint}\n  (${error.code})\n`);
    return EXIT_CODES[error.kind];
  }
  process.stderr.write(`rollover: a fault of its own: ${error instanceof Error ? error.stack : String(error)}\n`);
  return EXIT_CODES.internal;
}

/** The tree below says what the list would say, and more. The commands stay visible for suggestions. */
function withoutCommandList(command: Command, help: Help): string {
  const plain = Object.assign(new Help(), help, { visibleCommands: () => [] });
  return Help.prototype.formatHelp.call(plain, command, plain);
}

function commandTree(): string {
  const groups = Object.entries(GROUPS).map(([title, commands]) => [`${title}:`, ...commands.map(c => tree(c, '  '))]);
  return `\n${groups.map(lines => lines.join('\n')).join('\n\n')}\n\nrollover <command> --help says more, with an example where one helps.`;
}

function tree(command: Command, indent: string): string {
  const words = [command.name(), ...command.registeredArguments.map(argument => `<${argument.name()}>`)];
  const line = `${indent}${words.join(' ')}`.padEnd(32) + command.description();
  return [line, ...command.commands.map(child => tree(child, `${indent}  `))].join('\n');
}
