// `rollover server`: runs the hosted service until it is told to stop; `rollover server backup` and `restore` keep what it has.
import { Command, Option } from 'commander';
import { pino } from 'pino';
import type { FeedAddress } from '../../bundles/index.ts';
import { endOnSecondSignal, stopSignal, type Terminal, table } from '../../terminal.ts';
import type { ServerOptions } from '../main.ts';
import { DEFAULT_SUPPORT_LIMITS } from '../support/limits.ts';
import { backupCommand, restoreCommand } from './backup.ts';
import { DEFAULT_FEED_PORT, DEFAULT_PORT, defaultServerDirectory } from './options.ts';

/** As they are typed: `config.ts` reads them, together with the environment. */
interface Flags {
  readonly verbose?: boolean;
  readonly check?: boolean;
}

export function serverCommand(terminal: () => Terminal): Command {
  return new Command('server')
    .description('run the hosted service: licenses, releases and updates')
    .option('--data <directory>', 'where it keeps everything', defaultServerDirectory())
    .option('--host <address>', 'address to listen on; 0.0.0.0 for all of this machine', '127.0.0.1')
    .addOption(number('--port <number>', 'port of the vendor API', DEFAULT_PORT))
    .addOption(
      number(
        '--feed-port <number>',
        'port that sites connect to (TLS 1.3 with their license’s key)',
        DEFAULT_FEED_PORT,
      ),
    )
    .option('--public-url <url>', 'where browsers find the service, when it stands behind a proxy')
    .option('--public-feed <host:port>', 'what license files tell sites to connect to (default: --host, --feed-port)')
    .option('--mtls-port <number>', 'a port for sites that show a certificate (mutual TLS); without it, there is none')
    .option('--public-mtls-port <number>', 'what license files say of it (default: --mtls-port)')
    .option('--tls-cert <file>', 'the certificate it shows, PEM with those above it (default: of its own authority)')
    .option('--tls-key <file>', 'the private key of that certificate, PEM')
    .addOption(
      number('--stop-notice <seconds>', 'when stopping, say so at /readyz for so long before the ports close', 0),
    )
    .addOption(number('--stop-within <seconds>', 'when stopping, cut off what still runs after so long', 30))
    .addOption(
      number(
        '--support-days <number>',
        'remove support bundles of sites after so many days',
        DEFAULT_SUPPORT_LIMITS.days,
      ),
    )
    .addOption(
      number(
        '--support-quota <GiB>',
        'keep so much of them for each organization',
        DEFAULT_SUPPORT_LIMITS.quotaBytes / 1024 ** 3,
      ),
    )
    .option('--verbose', 'log everything to stderr, as JSON lines (default: warnings and errors)')
    .option('--check', 'check the options and the environment, print them without secrets, and exit')
    .addCommand(backupCommand(terminal))
    .addCommand(restoreCommand(terminal))
    .addHelpText('after', HELP)
    .action(async ({ check, ...flags }: Flags) => {
      const out = terminal();
      // Loaded here, so that the other commands start without a database, a queue and a web server in memory.
      const { readConfig } = await import('./config.ts');
      const { options, shown } = await readConfig(flags, process.env, new Date());
      if (check) return out.result({ status: 'ok', settings: shown }, settingsText(shown));
      const stopped = stopSignal();
      const { startServer } = await import('../main.ts');
      const server = await startServer({ ...options, log: logOf(flags), onStep: step => out.say(`… ${step}`) });
      const { url, feed, adminTokenPath } = server;
      const lines = [
        'The service is ready.',
        `  vendor API   ${url}   (token in ${adminTokenPath})`,
        `  sites        ${feed.host}:${feed.port}   (TLS 1.3, keyed by license)`,
        ...(feed.mtlsPort === undefined
          ? []
          : [`  sites        ${feed.host}:${feed.mtlsPort}   (${mtlsText(options, feed)})`]),
      ];
      out.result({ status: 'ready', url, feed, adminToken: adminTokenPath }, lines.join('\n'));
      const warning = feedWarning(options);
      if (warning !== undefined) out.say(warning);
      const failure = await Promise.race([stopped, server.lost]);
      out.say('… stopping');
      endOnSecondSignal();
      await server.close();
      if (failure) throw failure;
    });
}

function logOf({ verbose }: Flags) {
  return pino({ level: verbose ? 'info' : 'warn' }, pino.destination(2));
}

function settingsText(shown: Readonly<Record<string, string | null>>): string {
  return table(
    ['setting', 'value'],
    Object.entries(shown).map(([name, value]) => [name, value ?? 'not set']),
  );
}

function number(flags: string, description: string, value: number): Option {
  return new Option(flags, description).default(`${value}`, `${value}`);
}

function mtlsText({ mtls }: ServerOptions, { host }: FeedAddress): string {
  const { files } = mtls ?? {};
  const shown = files ? `it shows ${files.cert}` : `it shows one of its own authority, for ${host}`;
  return `TLS 1.3, certificates of licenses; ${shown}`;
}

/** A license file must name an address that sites can connect to. */
function feedWarning({ host, publicFeed }: ServerOptions): string | undefined {
  if (publicFeed || !['0.0.0.0', '::'].includes(host)) return undefined;
  return `! License files will tell sites to connect to ${host}, which is no address of anybody: use --public-feed <host:port>.`;
}

const HELP = `
Examples:
  rollover server                                                            on this machine alone, nothing to set up
  rollover server --host 0.0.0.0 --public-feed updates.example.com:8471      for sites elsewhere
  rollover server --check                                                    what would be used; starts nothing

Environment, checked at the start together with the options:
  DATABASE_URL         a PostgreSQL of your own instead of the embedded one
  REDIS_URL            runs the job queue on Redis instead of PostgreSQL
  S3_BUCKET            keeps sealed objects in a bucket instead of files; with S3_ENDPOINT (unless it is Amazon’s),
                       S3_PREFIX, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
  S3_PRESIGN           1: sites fetch sealed objects from the bucket itself, at addresses that are signed for a quarter of an
                       hour; with S3_PUBLIC_ENDPOINT, where sites reach it, unless that is S3_ENDPOINT
  ROLLOVER_SERVER_KEY  the key that secrets are sealed with, base64url of 32 bytes (default: a file in --data)
  ROLLOVER_OIDC_FILE   identity providers that people sign in with; docs/access.md says how it is written
  ROLLOVER_WEBHOOK_NETWORKS
                       networks that webhooks may reach beside public addresses, with commas: 10.20.0.0/16,fd12::/32
  ROLLOVER_TRUSTED_PROXIES
                       proxies whose X-Forwarded-For is believed, with commas: 10.0.0.7,10.20.0.0/16`;
