// The configuration of `rollover server`: its options and its environment, checked together before anything starts. Everything that is
// wrong is said at once, each under the name that the operator typed.
import { isIP } from 'node:net';
import { InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { parsePath, parsePort } from '../../arguments.ts';
import type { FeedAddress, S3Options } from '../../bundles/index.ts';
import { counted, RolloverError } from '../../signing/index.ts';
import { readOidcProviders } from '../access/oidc-provider.ts';
import { readCertificateFiles } from '../certificates/server-certificate.ts';
import { serverError } from '../errors.ts';
import { parseProxies } from '../http/proxies.ts';
import type { MtlsOptions, ServerOptions } from '../main.ts';
import { parseNetworks } from '../webhooks/networks.ts';

/** Ten years. */
const MOST_SUPPORT_DAYS = 3650;
const MOST_SUPPORT_GIB = 100_000;
const GIB = 1024 ** 3;
const BUCKET = 'Use the name of a bucket: 3 to 63 characters.';
const port = z.string().transform(by(parsePort));
const path = z.string().transform(by(parsePath));
const seconds = z
  .string()
  .regex(/^\d{1,4}$/, 'Use whole seconds, at most 9999.')
  .transform(Number);
/** A number above zero, bounded. */
const upTo = (most: number, unit: string) =>
  z
    .string()
    .regex(/^[1-9]\d{0,6}$/, `Use whole ${unit}, from 1 to ${most}.`)
    .transform(Number)
    .refine(number => number <= most, `Use at most ${most} ${unit}.`);
const list = z.string('Use a list with commas.').max(1024).transform(commas);

/** Options as they are typed, and variables of the environment. */
const settingsSchema = z.object({
  '--data': path,
  '--host': z.string().refine(isHost, 'Use an address or a host name, such as 0.0.0.0.'),
  '--port': port,
  '--feed-port': port,
  '--public-url': z.string().transform(by(webAddress)).optional(),
  '--public-feed': z.string().transform(by(address)).optional(),
  '--mtls-port': port.optional(),
  '--public-mtls-port': port.optional(),
  '--tls-cert': path.optional(),
  '--tls-key': path.optional(),
  '--stop-notice': seconds,
  '--stop-within': seconds,
  '--support-days': upTo(MOST_SUPPORT_DAYS, 'days'),
  '--support-quota': upTo(MOST_SUPPORT_GIB, 'GiB'),
  '--verbose': z.boolean().default(false),
  DATABASE_URL: url(/^postgres(ql)?$/, 'postgres://user:password@host/database'),
  REDIS_URL: url(/^rediss?$/, 'redis://host:6379'),
  S3_BUCKET: z.string().min(3, BUCKET).max(63, BUCKET).optional(),
  S3_ENDPOINT: url(/^https?$/, 'https://s3.example.com'),
  S3_PREFIX: z.string().max(256, 'Use at most 256 characters.').optional(),
  S3_PRESIGN: z.enum(['0', '1'], 'Use 1 for addresses in the bucket, or 0.').optional(),
  S3_PUBLIC_ENDPOINT: z.string().transform(by(webAddress)).optional(),
  AWS_REGION: z.string().max(64, 'Use a region such as eu-central-1.').optional(),
  AWS_ACCESS_KEY_ID: z.string().optional(),
  AWS_SECRET_ACCESS_KEY: z.string().optional(),
  ROLLOVER_SERVER_KEY: z
    .string()
    .regex(/^[A-Za-z0-9_-]{43}$/, 'Use base64url of 32 bytes: 43 characters.')
    .optional(),
  ROLLOVER_OIDC_FILE: path.optional(),
  ROLLOVER_WEBHOOK_NETWORKS: list.optional(),
  ROLLOVER_TRUSTED_PROXIES: list.optional(),
});

const SECRETS: ReadonlySet<string> = new Set(['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'ROLLOVER_SERVER_KEY']);
const MASK = '***';

type Settings = z.output<typeof settingsSchema>;
type Name = keyof Settings;
type Problem = readonly [Name, string];

export interface ServerConfig {
  readonly options: ServerOptions;
  /** Every setting as it is written, secrets masked; null where it is not set. */
  readonly shown: Readonly<Record<string, string | null>>;
}

/**
 * Reads and checks the configuration; starts and connects to nothing.
 *
 * @param flags the options as they were typed, by their names in camel case
 * @throws `config-invalid`, naming each setting that is not usable, and what to do
 */
export async function readConfig(
  flags: Readonly<Record<string, unknown>>,
  environment: NodeJS.ProcessEnv,
  now: Date,
): Promise<ServerConfig> {
  const options = Object.entries(flags).map(([name, value]) => [
    `--${name.replace(/[A-Z]/g, '-$&').toLowerCase()}`,
    value,
  ]);
  const written: Readonly<Record<string, unknown>> = { ...environment, ...Object.fromEntries(options) };
  const { settings, problems } = parsed(written);
  requireNone([...problems, ...disagreements(settings), ...(await unusableFiles(settings, now))]);
  return { options: optionsOf(settings as Settings), shown: shownOf(written) };
}

/** Where a service keeps what it has: the part of its configuration that commands need which do their work beside it. */
export type StorageConfig = Pick<ServerOptions, 'directory' | 'databaseUrl' | 's3' | 'serverKey'>;

/** Reads and checks that part. @throws `config-invalid` */
export function readStorageConfig(data: string, environment: NodeJS.ProcessEnv): StorageConfig {
  const { settings, problems } = parsed({ ...environment, '--data': data });
  const wrong = [...problems, ...disagreements(settings)].filter(([name]) => STORAGE.includes(name));
  requireNone(wrong);
  const { DATABASE_URL: databaseUrl, S3_BUCKET: bucket, ROLLOVER_SERVER_KEY: serverKey } = settings;
  const s3 = bucket === undefined ? undefined : s3Of(bucket, settings as Settings);
  return { directory: settings['--data'] as string, ...given({ databaseUrl, serverKey, s3 }) };
}

const STORAGE: readonly Name[] = [
  '--data',
  'DATABASE_URL',
  'S3_BUCKET',
  'S3_ENDPOINT',
  'S3_PREFIX',
  'AWS_REGION',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'ROLLOVER_SERVER_KEY',
];

/** @throws `config-invalid` */
function requireNone(problems: readonly Problem[]): void {
  if (problems.length === 0) return;
  const texts = problems.map(([name, text]) => `${name}: ${text.replace(/\.$/, '')}`);
  throw serverError(
    'config-invalid',
    `${counted(new Set(problems.map(([name]) => name)).size, 'setting')} cannot be used. ${texts.join('; ')}.`,
  );
}

/** Each setting by itself, so that what is wrong with one hides nothing of another. */
function parsed(written: Readonly<Record<string, unknown>>) {
  const settings: Record<string, unknown> = {};
  const problems: Problem[] = [];
  for (const [name, schema] of Object.entries(settingsSchema.shape)) {
    const { success, data, error } = schema.safeParse(written[name]);
    if (success) settings[name] = data;
    else problems.push([name as Name, error.issues[0]?.message ?? '']);
  }
  return { settings: settings as Partial<Settings>, problems };
}

/** What is right by itself, and wrong beside the others. */
function disagreements(settings: Partial<Settings>): readonly Problem[] {
  const problems: Problem[] = [];
  const isSet = (name: Name) => settings[name] !== undefined;
  const needs = (needed: Name, names: readonly Name[]) => {
    if (isSet(needed)) return;
    for (const name of names.filter(isSet)) problems.push([name, `It needs ${needed}.`]);
  };
  const ports = (['--port', '--feed-port', '--mtls-port'] as const).filter(isSet);
  for (const [index, name] of ports.entries()) {
    const other = ports.slice(0, index).find(earlier => settings[earlier] === settings[name]);
    if (other) problems.push([name, `It is the port of ${other} as well. Choose another.`]);
  }
  needs('--mtls-port', ['--public-mtls-port', '--tls-cert', '--tls-key']);
  needs('--tls-key', ['--tls-cert']);
  needs('--tls-cert', ['--tls-key']);
  needs('S3_BUCKET', ['S3_ENDPOINT', 'S3_PREFIX', 'S3_PRESIGN']);
  if (isSet('S3_PUBLIC_ENDPOINT') && settings.S3_PRESIGN !== '1') {
    problems.push(['S3_PUBLIC_ENDPOINT', 'It needs S3_PRESIGN=1.']);
  }
  const objects = settings.S3_PUBLIC_ENDPOINT ?? settings.S3_ENDPOINT;
  const feedHost = settings['--public-feed']?.host ?? settings['--host'];
  if (settings.S3_PRESIGN === '1' && objects?.startsWith('http:') && new URL(objects).hostname !== feedHost) {
    const what = `Without TLS, sites fetch objects from the host that they connect to only, and not from ${new URL(objects).host}.`;
    problems.push(['S3_PRESIGN', `${what} Name an S3_PUBLIC_ENDPOINT with https.`]);
  }
  needs('AWS_SECRET_ACCESS_KEY', ['AWS_ACCESS_KEY_ID']);
  needs('AWS_ACCESS_KEY_ID', ['AWS_SECRET_ACCESS_KEY']);
  return problems;
}

/** What only reading it shows. */
async function unusableFiles(settings: Partial<Settings>, now: Date): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  const check = async (name: Name, work: () => unknown) => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof RolloverError)) throw error;
      problems.push([name, error.message]);
    }
  };
  const { ROLLOVER_OIDC_FILE: oidcFile, '--tls-cert': cert, '--tls-key': key } = settings;
  const host = settings['--public-feed']?.host ?? settings['--host'];
  await check('ROLLOVER_WEBHOOK_NETWORKS', () => parseNetworks(settings.ROLLOVER_WEBHOOK_NETWORKS ?? []));
  await check('ROLLOVER_TRUSTED_PROXIES', () => parseProxies(settings.ROLLOVER_TRUSTED_PROXIES ?? []));
  if (oidcFile !== undefined) await check('ROLLOVER_OIDC_FILE', () => readOidcProviders(oidcFile));
  if (cert !== undefined && key !== undefined && host !== undefined) {
    await check('--tls-cert', () => readCertificateFiles({ cert, key }, host, now));
  }
  return problems;
}

function optionsOf(settings: Settings): ServerOptions {
  const {
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    S3_BUCKET: bucket,
    ROLLOVER_SERVER_KEY: serverKey,
    ROLLOVER_OIDC_FILE: oidcFile,
    ROLLOVER_WEBHOOK_NETWORKS: webhookNetworks,
    ROLLOVER_TRUSTED_PROXIES: trustedProxies,
  } = settings;
  return {
    directory: settings['--data'],
    host: settings['--host'],
    port: settings['--port'],
    feedPort: settings['--feed-port'],
    shutdown: { noticeMs: settings['--stop-notice'] * 1000, withinMs: settings['--stop-within'] * 1000 },
    support: { days: settings['--support-days'], quotaBytes: settings['--support-quota'] * GIB },
    ...given({
      publicUrl: settings['--public-url'],
      publicFeed: settings['--public-feed'],
      mtls: mtlsOf(settings),
      databaseUrl,
      redisUrl,
      serverKey,
      oidcFile,
      webhookNetworks,
      trustedProxies,
      s3: bucket === undefined ? undefined : s3Of(bucket, settings),
    }),
  };
}

function mtlsOf(settings: Settings): MtlsOptions | undefined {
  const { '--mtls-port': port, '--public-mtls-port': publicPort, '--tls-cert': cert, '--tls-key': key } = settings;
  if (port === undefined) return undefined;
  return { port, ...given({ publicPort, files: cert === undefined || key === undefined ? undefined : { cert, key } }) };
}

function s3Of(bucket: string, settings: Settings): S3Options {
  const { S3_ENDPOINT: endpoint, S3_PREFIX: prefix, AWS_REGION: region } = settings;
  const presign = settings.S3_PRESIGN === '1' ? given({ endpoint: settings.S3_PUBLIC_ENDPOINT }) : undefined;
  return { bucket, ...given({ endpoint, prefix, region, presign }) };
}

/** Without what is undefined. */
function given<T extends object>(object: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as ReturnType<
    typeof given<T>
  >;
}

function shownOf(written: Readonly<Record<string, unknown>>): Readonly<Record<string, string | null>> {
  return Object.fromEntries(
    Object.keys(settingsSchema.shape).map(name => {
      const value = written[name];
      return [name, value === undefined ? null : SECRETS.has(name) ? MASK : withoutPassword(String(value))];
    }),
  );
}

/** Passwords stand before the host, or in the query. */
function withoutPassword(text: string): string {
  if (!/^\w+:\/\//.test(text) || !URL.canParse(text)) return text;
  const url = new URL(text);
  const original = url.href;
  if (url.password !== '') url.password = MASK;
  for (const name of url.searchParams.keys()) if (/pass|secret|token|key/i.test(name)) url.searchParams.set(name, MASK);
  return url.href === original ? text : url.href;
}

/** A parser of options as a step of a schema. */
function by<T>(parse: (text: string) => T) {
  return (text: string, context: z.RefinementCtx): T => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  };
}

function url(protocol: RegExp, example: string) {
  return z.url({ protocol, error: `Use an address such as ${example}.` }).optional();
}

function commas(text: string): readonly string[] {
  return text.split(',').flatMap(entry => entry.trim() || []);
}

function isHost(text: string): boolean {
  return isIP(text) !== 0 || /^[A-Za-z0-9]([A-Za-z0-9.-]{0,252})$/.test(text);
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
