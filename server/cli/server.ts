// `rollover server`: runs the hosted service until it is told to stop.
import { Command, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import { z } from 'zod';
import { parsePath, parsePort } from '../../arguments.ts';
import type { FeedAddress, S3Options } from '../../bundles/index.ts';
import { stopSignal, type Terminal } from '../../terminal.ts';
import { serverError } from '../errors.ts';
import type { ServerOptions } from '../main.ts';
import { DEFAULT_FEED_PORT, DEFAULT_PORT, defaultServerDirectory } from './options.ts';

const environmentSchema = z.object({
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  REDIS_URL: z.url({ protocol: /^rediss?$/ }).optional(),
  S3_BUCKET: z.string().min(3).max(63).optional(),
  S3_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  S3_PREFIX: z.string().max(256).optional(),
  S3_PRESIGN: z.enum(['0', '1']).optional(),
  S3_PUBLIC_ENDPOINT: z
    .string()
    .regex(/^https?:\/\/[^/?#@]+\/?$/, 'an address without a path, such as https://objects.example')
    .optional(),
  AWS_REGION: z.string().max(64).optional(),
  ROLLOVER_SERVER_KEY: z
    .string()
    .regex(/^[A-Za-z0-9_-]{43}$/, 'base64url of 32 bytes')
    .optional(),
  ROLLOVER_OIDC_FILE: z.string().min(1).optional(),
  ROLLOVER_WEBHOOK_NETWORKS: z.string().max(1024).optional(),
});

interface Flags {
  readonly data: string;
  readonly host: string;
  readonly port: number;
  readonly feedPort: number;
  readonly publicUrl?: string;
  readonly publicFeed?: FeedAddress;
  readonly mtlsPort?: number;
  readonly publicMtlsPort?: number;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly verbose?: boolean;
}

export function serverCommand(terminal: () => Terminal): Command {
  return new Command('server')
    .description('run the hosted service: licenses, releases and updates')
    .option('--data <directory>', 'where it keeps everything', parsePath, defaultServerDirectory())
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port of the vendor API', parsePort, DEFAULT_PORT)
    .option(
      '--feed-port <number>',
      'port that sites connect to (TLS 1.3 with their license’s key)',
      parsePort,
      DEFAULT_FEED_PORT,
    )
    .option('--public-url <url>', 'where browsers find the service, when it stands behind a proxy', webAddress)
    .option('--public-feed <host:port>', 'what license files tell sites to connect to', address)
    .option(
      '--mtls-port <number>',
      'a port for sites that show a certificate (mutual TLS); without it, there is none',
      parsePort,
    )
    .option('--public-mtls-port <number>', 'what license files say of it, when it is another one', parsePort)
    .option(
      '--tls-cert <file>',
      'the certificate it shows, PEM with those above it (default: of its own authority)',
      parsePath,
    )
    .option('--tls-key <file>', 'the private key of that certificate, PEM', parsePath)
    .option('--verbose', 'log everything to stderr, as JSON lines (default: warnings and errors)')
    .addHelpText('after', ENVIRONMENT_HELP)
    .action(async (flags: Flags) => {
      const out = terminal();
      const stopped = stopSignal();
      // Loaded here, so that the other commands start without a database, a queue and a web server in memory.
      const { startServer } = await import('../main.ts');
      const server = await startServer({ ...optionsOf(flags), onStep: step => out.say(`… ${step}`) });
      const { url, feed, adminTokenPath } = server;
      const lines = [
        'The service is ready.',
        `  vendor API   ${url}   (token in ${adminTokenPath})`,
        `  sites        ${feed.host}:${feed.port}   (TLS 1.3, keyed by license)`,
        ...(feed.mtlsPort === undefined
          ? []
          : [`  sites        ${feed.host}:${feed.mtlsPort}   (${mtlsText(flags, feed)})`]),
      ];
      out.result({ status: 'ready', url, feed, adminToken: adminTokenPath }, lines.join('\n'));
      const warning = feedWarning(flags);
      if (warning !== undefined) out.say(warning);
      const failure = await Promise.race([stopped, server.lost]);
      out.say('… stopping');
      await server.close();
      if (failure) throw failure;
    });
}

function mtlsText({ tlsCert }: Flags, { host }: FeedAddress): string {
  const shown = tlsCert === undefined ? `it shows one of its own authority, for ${host}` : `it shows ${tlsCert}`;
  return `TLS 1.3, certificates of licenses; ${shown}`;
}

/** A license file must name an address that sites can connect to. */
function feedWarning({ host, publicFeed }: Flags): string | undefined {
  if (publicFeed || !['0.0.0.0', '::'].includes(host)) return undefined;
  return `! License files will tell sites to connect to ${host}, which is no address of anybody: use --public-feed <host:port>.`;
}

const ENVIRONMENT_HELP = `
Environment, checked at the start:
  DATABASE_URL         a PostgreSQL of your own instead of the embedded one
  REDIS_URL            runs the job queue on Redis instead of PostgreSQL
  S3_BUCKET            keeps sealed objects in a bucket instead of files; with S3_ENDPOINT (unless it is Amazon’s),
                       S3_PREFIX, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
  S3_PRESIGN           1: sites fetch sealed objects from the bucket itself, at addresses that are signed for a quarter of an
                       hour; with S3_PUBLIC_ENDPOINT, where sites reach it, unless that is S3_ENDPOINT
  ROLLOVER_SERVER_KEY  the key that secrets are sealed with, base64url of 32 bytes (default: a file in --data)
  ROLLOVER_OIDC_FILE   identity providers that people sign in with; docs/access.md says how it is written
  ROLLOVER_WEBHOOK_NETWORKS
                       networks that webhooks may reach beside public addresses, with commas: 10.20.0.0/16,fd12::/32`;

function optionsOf(flags: Flags): ServerOptions {
  const environment = environmentSchema.safeParse(process.env);
  if (!environment.success) {
    throw serverError('config-invalid', `The environment is not usable: ${z.prettifyError(environment.error)}.`);
  }
  const { DATABASE_URL, REDIS_URL, ROLLOVER_SERVER_KEY, ROLLOVER_OIDC_FILE, ROLLOVER_WEBHOOK_NETWORKS, ...s3 } =
    environment.data;
  return {
    directory: flags.data,
    host: flags.host,
    port: flags.port,
    feedPort: flags.feedPort,
    ...(flags.publicFeed ? { publicFeed: flags.publicFeed } : {}),
    ...mtlsOptions(flags),
    ...(DATABASE_URL === undefined ? {} : { databaseUrl: DATABASE_URL }),
    ...(REDIS_URL === undefined ? {} : { redisUrl: REDIS_URL }),
    ...s3Options(s3),
    ...(ROLLOVER_SERVER_KEY === undefined ? {} : { serverKey: ROLLOVER_SERVER_KEY }),
    ...(flags.publicUrl === undefined ? {} : { publicUrl: flags.publicUrl }),
    ...(ROLLOVER_OIDC_FILE === undefined ? {} : { oidcFile: ROLLOVER_OIDC_FILE }),
    ...(ROLLOVER_WEBHOOK_NETWORKS ? { webhookNetworks: ROLLOVER_WEBHOOK_NETWORKS.split(',') } : {}),
    log: pino({ level: flags.verbose ? 'info' : 'warn' }, pino.destination(2)),
  };
}

function mtlsOptions({ mtlsPort, publicMtlsPort, tlsCert, tlsKey }: Flags): Pick<ServerOptions, 'mtls'> {
  if (mtlsPort === undefined) {
    if (publicMtlsPort === undefined && tlsCert === undefined && tlsKey === undefined) return {};
    throw serverError('config-invalid', 'Options of the port for certificates need --mtls-port.');
  }
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw serverError('config-invalid', '--tls-cert and --tls-key belong together.');
  }
  const files = tlsCert === undefined || tlsKey === undefined ? {} : { files: { cert: tlsCert, key: tlsKey } };
  const publicPort = publicMtlsPort === undefined ? {} : { publicPort: publicMtlsPort };
  return { mtls: { port: mtlsPort, ...publicPort, ...files } };
}

function s3Options(environment: Partial<z.infer<typeof environmentSchema>>): Pick<ServerOptions, 's3'> {
  const { S3_BUCKET: bucket, S3_ENDPOINT: endpoint, S3_PREFIX: prefix, AWS_REGION: region } = environment;
  const { S3_PRESIGN: presign = '0', S3_PUBLIC_ENDPOINT: publicEndpoint } = environment;
  if (publicEndpoint !== undefined && presign === '0') {
    throw serverError('config-invalid', 'S3_PUBLIC_ENDPOINT needs S3_PRESIGN=1.');
  }
  if (bucket === undefined) {
    if (presign === '0') return {};
    throw serverError('config-invalid', 'S3_PRESIGN=1 needs S3_BUCKET.');
  }
  const s3: S3Options = {
    bucket,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(region === undefined ? {} : { region }),
    ...(presign === '0' ? {} : { presign: publicEndpoint === undefined ? {} : { endpoint: publicEndpoint } }),
  };
  return { s3 };
}

function webAddress(text: string): string {
  if (URL.canParse(text) && /^https?:\/\/[^/]+\/?$/.test(text)) return text.replace(/\/$/, '');
  throw new InvalidArgumentError('Use an address such as https://updates.example.com.');
}

function address(text: string): FeedAddress {
  const match = /^(.+):(\d+)$/.exec(text);
  if (!match) throw new InvalidArgumentError('Use host:port, such as updates.example.com:8471.');
  return { host: match[1] as string, port: parsePort(match[2] as string) };
}
