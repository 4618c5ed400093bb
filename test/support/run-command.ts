// A command in this process, against a test service: its words in, its result out.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Terminal } from '../../terminal.ts';
import type { TestService } from './service.ts';

export interface CommandResult {
  // biome-ignore lint/suspicious/noExplicitAny: what a command answers as JSON
  readonly value: any;
  readonly text: string;
  /** What it said beside its result. */
  readonly said: readonly string[];
  /** What its process would end with; an error is thrown instead. */
  readonly exitCode: number;
}

export async function runCommand(
  service: TestService,
  make: (terminal: () => Terminal) => Command,
  ...words: readonly string[]
): Promise<CommandResult> {
  const tokenFile = join(service.directory, 'token');
  await writeFile(tokenFile, service.token);
  let result: Pick<CommandResult, 'value' | 'text'> | undefined;
  const said: string[] = [];
  const progress = { update: () => undefined, end: () => undefined };
  const terminal: Terminal = {
    json: false,
    say: line => void said.push(line),
    result: (value, text) => {
      result = { value: JSON.parse(JSON.stringify(value)), text };
    },
    resumable: () => undefined,
    progress: () => progress,
  };
  const command = make(() => terminal);
  overridden(command);
  await command.parseAsync([...words, '--server', service.url, '--token-file', tokenFile], { from: 'user' });
  const exitCode = Number(process.exitCode ?? 0);
  process.exitCode = 0;
  if (!result) throw new TypeError('the command had no result');
  return { ...result, said, exitCode };
}

function overridden(command: Command): void {
  command.exitOverride().configureOutput({ writeErr: () => undefined });
  for (const child of command.commands) overridden(child);
}
