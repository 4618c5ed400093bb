// The command line: puts the commands of the rooms into one tree and turns errors into sentences and exit codes.
import process from 'node:process';
import { type Argument, Command, CommanderError, Help, Option } from 'commander';
import {
  agentCommand,
  applyCommand,
  deedCommands,
  mediaImportCommand,
  planCommand,
  relayCommand,
  simulateCommand,
  statusCommand,
  supportCommand,
} from './agent/index.ts';
import { completionCommand } from './completion.ts';
import { interruptedError, reportFailure, usageError } from './failure.ts';
import { endWithLauncher } from './launcher.ts';
import {
  auditCommand,
  channelCommand,
  licenseCommand,
  mediaExportCommand,
  memberCommand,
  releaseCommand,
  rolloutCommand,
  serverCommand,
  siteCommand,
  tokenCommand,
  trustCommand,
} from './server/index.ts';
import { EXIT_CODES } from './signing/index.ts';
import { terminal } from './terminal.ts';
import { VERSION } from './version.ts';

const HELP_WIDTH = 110;

/** Until the words are parsed, this is how it is known in which form a wrong one is to be reported. */
let json = wantsJson(process.argv);
/** The command whose words were wrong. */
let misused: Command | undefined;
const out = () => terminal(json, () => process.exit(reportFailure(interruptedError(), json)));
const media = new Command('media').description('carry updates to sites without a network');
for (const make of [mediaExportCommand, mediaImportCommand]) media.addCommand(make(out));

/** The tree, in the order in which people meet it. */
const GROUPS: Readonly<Record<string, readonly Command[]>> = {
  'The vendor': [
    serverCommand,
    trustCommand,
    releaseCommand,
    channelCommand,
    licenseCommand,
    siteCommand,
    rolloutCommand,
    memberCommand,
    tokenCommand,
    auditCommand,
  ].map(make => make(out)),
  'Both sides of an air gap': [media],
  'The site': [
    ...[agentCommand, relayCommand, statusCommand, planCommand, applyCommand].map(make => make(out)),
    ...deedCommands(out),
    supportCommand(out),
    simulateCommand(out),
  ],
  'Your shell': [completionCommand(out, () => program)],
};

const program: Command = new Command('rollover')
  .description('Updates and licenses for private clouds.')
  .version(VERSION)
  .enablePositionalOptions()
  .showSuggestionAfterError(true)
  .configureHelp({ helpWidth: HELP_WIDTH, formatHelp: withoutCommandList })
  .addHelpText('after', commandTree)
  .hook('preAction', (_program, action) => {
    const { json: asked, output } = action.opts<{ json?: boolean; output?: string }>();
    json = asked === true || output === 'json';
  });
for (const command of Object.values(GROUPS).flat()) {
  program.addCommand(command);
  prepare(command);
}
reportItself(program);
endWithLauncher();

// Whoever reads the output may stop reading (`rollover license list | head -1`): that is no failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}
try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

function wantsJson(words: readonly string[]): boolean {
  const forms = words.filter((word, index) => word === 'json' && /^(-o|--output)$/.test(words[index - 1] ?? ''));
  return forms.length > 0 || words.some(word => /^(--json|-ojson|--output=json)$/.test(word));
}

/** Wrong words are reported like every other error, instead of by commander itself. */
function reportItself(command: Command): void {
  command.exitOverride().configureOutput({
    outputError: () => {
      misused = command;
    },
  });
}

/** Help that was asked for, or shown because a word is missing, has already been printed. */
function exitCodeOf(error: unknown): number {
  if (!(error instanceof CommanderError)) return reportFailure(error, json);
  if (misused) return reportFailure(usageError(error, misused), json);
  return error.exitCode === 0 ? 0 : EXIT_CODES.usage;
}

/** Options belong to the command they follow: `agent activate --data` is not the agent's own `--data`. */
function prepare(command: Command): void {
  reportItself(command);
  command.enablePositionalOptions().configureHelp({ helpWidth: HELP_WIDTH, optionDescription }).helpCommand(false);
  const runs = ['agent', 'relay', 'server'].includes(command.name());
  const isGroup = command.commands.length > 0 && !runs;
  if (!isGroup) command.option('--json', 'the result as JSON on stdout, and nothing else');
  for (const child of command.commands) prepare(child);
}

/** Says which options have to be given, and nothing of defaults that are none. */
function optionDescription(option: Option): string {
  const plain = Object.assign(new Option(option.flags, option.description), option);
  if (Array.isArray(option.defaultValue) && option.defaultValue.length === 0) plain.defaultValue = undefined;
  const text = new Help().optionDescription(plain);
  return option.mandatory ? `${text} (required)` : text;
}

/** As usage lines have it: `<product>`, `[proposal]`, `<copies...>`. */
function argumentText(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${name}>` : `[${name}]`;
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
  const words = [command.name(), ...command.registeredArguments.map(argumentText)];
  const line = `${indent}${words.join(' ')}`.padEnd(34) + command.description();
  return [line, ...command.commands.map(child => tree(child, `${indent}  `))].join('\n');
}
