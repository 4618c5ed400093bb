// How the command line fails: whatever was thrown becomes a sentence, what to do about it, a stable code and an exit code.
import process from 'node:process';
import type { Command, CommanderError } from 'commander';
import { asSystemError, type ErrorTable, EXIT_CODES, errorsOf, RolloverError } from './signing/index.ts';

export const CLI_ERRORS = {
  'command-invalid': { kind: 'usage', hint: '`rollover --help` shows all commands.' },
  interrupted: { kind: 'interrupted', hint: 'Run the same command again; it goes on from where it was.' },
} as const satisfies ErrorTable;

const cliError = errorsOf(CLI_ERRORS);

/** What commander says about the words it was given, as one of our errors. */
export function usageError({ code, message }: CommanderError, command: Command): RolloverError {
  const said = inOneLine(message).replace(/^error: /, '');
  const sentence = `${said.charAt(0).toUpperCase()}${said.slice(1)}`.replace(/[^.?)]$/, '$&.');
  const help = `\`${pathOf(command)} --help\` shows what it takes.`;
  const isOutput = code === 'commander.unknownOption' && /'(-o|--output)/.test(said);
  const hint = isOutput
    ? `-o is for commands that list or show; here, \`--json\` gives the result as JSON. ${help}`
    : help;
  return cliError('command-invalid', sentence, { hint });
}

/** For commands that can be run again after Ctrl+C. */
export function interruptedError(): RolloverError {
  return cliError('interrupted', 'Interrupted.');
}

/** Says on stderr what failed, as text or as one JSON document; returns the exit code. */
export function reportFailure(thrown: unknown, json: boolean): number {
  const error = thrown instanceof RolloverError ? thrown : asSystemError(thrown);
  const code = error?.code ?? 'internal';
  const message = inOneLine(error?.message ?? (thrown instanceof Error ? thrown.message : String(thrown)));
  const hint = error?.hint ?? 'This is a fault of rollover itself: please report it with the command that you ran.';
  const stack = error || !(thrown instanceof Error) ? '' : `${thrown.stack}\n`;
  const text = `rollover: ${message}\n  What to do: ${hint}\n  (${code})\n${stack}`;
  process.stderr.write(json ? `${JSON.stringify({ error: { code, message, hint } })}\n` : text);
  return EXIT_CODES[error?.kind ?? 'internal'];
}

/** Lists of what is wrong with a document arrive with a line for each finding. */
function inOneLine(text: string): string {
  return text
    .replace(/\n\s*→ at /g, ' at ')
    .replace(/\n\s*✖ /g, '; ')
    .replace(/✖ /g, '')
    .replace(/\s*\n\s*/g, ' ')
    .trim();
}

function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}
