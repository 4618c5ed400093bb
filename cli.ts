// The command line: puts the commands of the rooms into one tree and turns errors into sentences and exit codes.
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { Command, CommanderError } from 'commander';
import { licenseCommand, releaseCommand, serverCommand, trustCommand } from './server/index.ts';
import { EXIT_CODES, RolloverError } from './signing/index.ts';
import { terminal } from './terminal.ts';

const program = new Command('rollover')
  .description('Updates and licenses for private clouds.')
  .version(version())
  .option('--json', 'results as JSON on stdout, nothing else', false)
  .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
  .showSuggestionAfterError(true)
  .exitOverride();
const out = () => terminal(program.opts<{ json: boolean }>().json);

for (const make of [serverCommand, trustCommand, releaseCommand, licenseCommand]) program.addCommand(make(out));
program.addHelpText('after', () => `\nAll commands:\n${tree(program, '  ')}`);
forEachCommand(program, command => void command.exitOverride());

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** Says what happened and what to do, and picks the exit code. Commander has already printed its own errors. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_CODES.usage;
  if (error instanceof RolloverError) {
    if (out().json) {
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

function version(): string {
  const here = import.meta.dirname;
  const at = here.endsWith('dist') ? '../package.json' : './package.json';
  return JSON.parse(readFileSync(new URL(at, import.meta.url), 'utf8')).version as string;
}
