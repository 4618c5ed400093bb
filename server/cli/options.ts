// Options that all vendor commands share: which service, which token, which keys.
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { readFileIfAny } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import { type ApiClient, apiClient } from '../pipeline/api-client.ts';

export const DEFAULT_PORT = 8470;
export const DEFAULT_FEED_PORT = 8471;

/** Where the service keeps its data unless told otherwise. Root gets a place that PostgreSQL's user can enter. */
export function defaultServerDirectory(): string {
  return process.getuid?.() === 0 ? '/var/lib/rollover/server' : join(homedir(), '.rollover', 'server');
}

export function defaultKeysDirectory(): string {
  return process.env['ROLLOVER_KEYS'] ?? join(homedir(), '.rollover', 'keys');
}

/** Adds `--server` and `--token-file`. */
export function withService(command: Command): Command {
  return command
    .option(
      '--server <url>',
      'address of the service',
      process.env['ROLLOVER_SERVER'] ?? `http://127.0.0.1:${DEFAULT_PORT}`,
    )
    .option('--token-file <path>', 'file with the API token (default: ROLLOVER_TOKEN, or the local service’s own)');
}

/** Adds `--keys`. */
export function withKeys(command: Command): Command {
  return command.option('--keys <directory>', 'directory of the vendor’s signing keys', defaultKeysDirectory());
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
