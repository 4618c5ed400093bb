// The command line: puts the commands of the rooms into one tree and turns errors into sentences and exit codes.
import process from 'node:process';
import { Command, CommanderError } from 'commander';
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

const program = new Command('rollover')
  .description('Updates and licenses for private clouds.')
  .version(VERSION)
  .enablePositionalOptions()
  .showSuggestionAfterError(true)
  .exitOverride();
let json = false;
const out = () => terminal(json);
program.hook('preAction', (_program, action) => {
  json = action.opts<{ json: boolean }>().json;
});

const media = new Command('media').description('carry updates to sites without a network');
for (const make of [mediaExportCommand, mediaImportCommand]) media.addCommand(make(out));
for (const make of [serverCommand, trustCommand, releaseCommand, licenseCommand, siteCommand]) {
  program.addCommand(make(out));
}
for (const make of [agentCommand, statusCommand, planCommand, applyCommand]) program.addCommand(make(out));
program.addCommand(media);
program.addCommand(simulateCommand(out));
program.addHelpText('after', () => `\nAll commands:\n${tree(program, '  ')}`);
forEachCommand(program, command => {
  // Options belong to the command they follow: `agent activate --data` is not the agent's own `--data`.
  command.exitOverride().enablePositionalOptions();
  command.option('--json', 'the result as JSON on stdout, and nothing else', false);
});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
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

function tree(command: Command, indent: string): string {
  const lines = command.commands.flatMap(child => {
    const line = `${indent}${child.name()}`.padEnd(24) + child.description();
    return child.commands.length === 0 ? [line] : [line, tree(child, `${indent}  `)];
  });
  return lines.join('\n');
}

function forEachCommand(command: Command, visit: (command: Command) => void): void {
  for (const child of command.commands) {
    visit(child);
    forEachCommand(child, visit);
  }
}
