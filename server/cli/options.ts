// Options that all vendor commands share: which service, which token, which keys.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { parsePath, parseUrl } from '../../arguments.ts';
import { readFileIfAny, reasonOf } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import { type ApiClient, apiClient } from '../pipeline/api-client.ts';

export const DEFAULT_PORT = 8470;
export const DEFAULT_FEED_PORT = 8471;

/** Where the service keeps its data unless told otherwise. Root gets a place that PostgreSQL's user can enter. */
export function defaultServerDirectory(): string {
  return process.getuid?.() === 0 ? '/var/lib/rollover/server' : join(homedir(), '.rollover', 'server');
}

function defaultKeysDirectory(): string {
  return join(homedir(), '.rollover', 'keys');
}

/** Adds `--server` and `--token-file`. */
export function withService(command: Command): Command {
  return command
    .addOption(
      new Option('--server <url>', 'address of the service')
        .argParser(parseUrl)
        .default(`http://127.0.0.1:${DEFAULT_PORT}`)
        .env('ROLLOVER_SERVER'),
    )
    .option(
      '--token-file <path>',
      'file with the API token (default: ROLLOVER_TOKEN, or the local service’s own)',
      parsePath,
    );
}

/** Adds `--keys`. */
export function withKeys(command: Command): Command {
  return command.addOption(
    new Option('--keys <directory>', 'directory of the vendor’s signing keys')
      .argParser(parsePath)
      .default(defaultKeysDirectory())
      .env('ROLLOVER_KEYS'),
  );
}

export interface ServiceOptions {
  readonly server: string;
  readonly tokenFile?: string;
}

/** A client of the service that the options name. @throws `unauthorized` without any token, `file-unreadable` */
export async function serviceOf(options: ServiceOptions): Promise<ApiClient> {
  return apiClient(options.server, await tokenOf(options.tokenFile));
}

async function tokenOf(path: string | undefined): Promise<string> {
  if (path !== undefined) {
    const bytes = await readFileIfAny(path);
    if (!bytes) throw serverError('file-unreadable', `There is no token file ${path}.`);
    const token = bytes.toString('utf8').trim();
    if (token !== '') return token;
    throw serverError('unauthorized', `The token file ${path} is empty.`);
  }
  const fromEnvironment = process.env['ROLLOVER_TOKEN'];
  if (fromEnvironment) return fromEnvironment;
  const local = join(defaultServerDirectory(), 'admin.token');
  try {
    const bytes = await readFileIfAny(local);
    if (bytes) return bytes.toString('utf8').trim();
  } catch (cause) {
    throw serverError('unauthorized', `The token ${local} cannot be read: ${reasonOf(cause)}.`, { cause });
  }
  throw serverError(
    'unauthorized',
    `There is no API token at hand: ROLLOVER_TOKEN is not set, and there is no ${local}.`,
  );
}
