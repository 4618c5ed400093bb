// Options that all vendor commands share: which service, which token, which keys.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { parsePath, parseUrl } from '../../arguments.ts';
import { readFileIfAny } from '../../signing/index.ts';
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
    return bytes.toString('utf8').trim();
  }
  const fromEnvironment = process.env['ROLLOVER_TOKEN'];
  if (fromEnvironment !== undefined) return fromEnvironment;
  const local = await readFileIfAny(join(defaultServerDirectory(), 'admin.token')).catch(() => undefined);
  if (local) return local.toString('utf8').trim();
  throw serverError('unauthorized', 'There is no API token at hand.');
}
