// Options that all commands at a site share.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { parseFolderUrl, parsePath, parseUrl } from '../../arguments.ts';

export const DEFAULT_CONSOLE_PORT = 8480;
export const DEFAULT_BOOT_PORT = 8481;
export const DEFAULT_CLUSTER = 'http://127.0.0.1:8490';

export function defaultAgentDirectory(): string {
  return process.getuid?.() === 0 ? '/var/lib/rollover/agent' : join(homedir(), '.rollover', 'agent');
}

/** Adds `--data`. */
export function withData(command: Command): Command {
  return command.option('--data <directory>', 'where the agent keeps everything', parsePath, defaultAgentDirectory());
}

/** As many as share the slowest line with the service and still keep their pace (`bundles/pace.ts`). */
const MOST_MIRRORS = 4;

/** For an option that takes several. */
export function parseMirrors(text: string, before: readonly string[]): readonly string[] {
  const url = parseFolderUrl(text);
  if (before.includes(url)) throw new InvalidArgumentError('It is named twice.');
  if (before.length >= MOST_MIRRORS) throw new InvalidArgumentError(`At most ${MOST_MIRRORS} mirrors can be used.`);
  return [...before, url];
}

/** For an option that takes several; as many as mirrors. */
export function parseRelays(text: string, before: readonly string[]): readonly string[] {
  const url = parseUrl(text);
  if (before.includes(url)) throw new InvalidArgumentError('It is named twice.');
  if (before.length >= MOST_MIRRORS) throw new InvalidArgumentError(`At most ${MOST_MIRRORS} relays can be used.`);
  return [...before, url];
}

export function seconds(text: string): number {
  const number = Number(text);
  if (Number.isFinite(number) && number > 0 && number <= 86_400) return number;
  throw new InvalidArgumentError('Use a number of seconds, at most a day.');
}

/** `NAME=VALUE`, for an option that takes several. */
export function parseLabels(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [, name, value] = /^([^=\p{Cc}]{1,64})=(\P{Cc}{0,128})$/u.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('Use a label such as ring=early.');
  return { ...before, [name]: value };
}
