// How commands list: all pages of the service's list, or the first so many items; as a table or as JSON.
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ApiClient } from '../pipeline/api-client.ts';

export interface ListOptions {
  readonly limit?: number;
}

/** Adds `-o`; `cli.ts` reads it, as it reads `--json`. */
export function withOutput(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <form>', 'how to show it (default: table; --json means json)')
      .choices(['table', 'json'])
      .conflicts('json'),
  );
}

/** Adds `-o` and `--limit`. */
export function withPages(command: Command, limit?: number): Command {
  const option = new Option('--limit <n>', `show so many at most${limit === undefined ? ' (default: all)' : ''}`);
  return withOutput(command).addOption(option.argParser(parseLimit).default(limit));
}

/** @param path of the list, perhaps with a query @throws what calls throw */
export function allOf<T>(api: ApiClient, path: string, limit?: number): Promise<readonly T[]> {
  return api.all(path, limit);
}

function parseLimit(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Use a whole number above zero.');
}
