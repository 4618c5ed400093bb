// Puts the hosted service together: database, blobs, jobs, the vendor's port and the ports for sites. Beside `backup/place.ts`,
// which does the same for commands, the only place in this room that reads the clock and decides what is real.
import { createServer, type RequestListener, type Server } from 'node:http';
import net from 'node:net';
import { join, resolve } from 'node:path';
import { type Logger, pino } from 'pino';
import type { FeedAddress, S3Options } from '../bundles/index.ts';
import { ensureDirectory, tryLock } from '../signing/index.ts';
import { openAccess } from './access/access.ts';
import { forgetEnded } from './access/forget.ts';
import { readOidcProviders } from './access/oidc-provider.ts';
import { requireNoMark } from './backup/mark.ts';
import { type CertificateFiles, readCertificateFiles } from './certificates/server-certificate.ts';
import { type Context, tenantOf } from './context.ts';
import { openDatabase } from './db/database.ts';
import { startEmbeddedPostgres } from './db/embedded-postgres.ts';
import { migrate } from './db/migrations.ts';
import { requireDatabase } from './db/reachable.ts';
import { serverError } from './errors.ts';
import { certificatePort } from './feed/certificate-port.ts';
import { feedApi } from './feed/feed-api.ts';
import { pskServer } from './feed/psk-listener.ts';
import { forgetAnswers } from './http/idempotency.ts';
import { RequestMetrics } from './http/observe.ts';
import { parseProxies } from './http/proxies.ts';
import { ensureAdminToken } from './http/tokens.ts';
import { vendorApi } from './http/vendor-api.ts';
import { type JobQueue, openQueue } from './jobs/queues.ts';
import { requireRedis } from './jobs/redis.ts';
import { keyOfIdentity } from './licenses/entitlement.ts';
import { wrapForAll } from './licenses/wraps.ts';
import { collectAllGarbage } from './releases/garbage.ts';
import { giveUpRelease, type PublishJob, publishRelease } from './releases/publication.ts';
import type { WrapJob } from './releases/routes.ts';
import { BulletinBoard } from './rollouts/board.ts';
import { renewBulletins } from './rollouts/bulletins.ts';
import { beforeAbort, type Shutdown, type ShutdownOptions, shutdownOf } from './shutdown.ts';
import { openStorage } from './storage.ts';
import { forgetBundles } from './support/bundles.ts';
import { DEFAULT_SUPPORT_LIMITS, type SupportLimits } from './support/limits.ts';
import { renewOnlineRoles } from './trust/repository.ts';
import { openVault } from './vault.ts';
import { openWebhookQueue } from './webhooks/jobs.ts';
import { parseNetworks } from './webhooks/networks.ts';

/** Sites accept a timestamp for a week; renewing hourly leaves time to notice that it stopped. */
const RENEW_EVERY_MS = 3600_000;
/** Connections that were kept alive are closed when their answer has gone out. */
const CLOSE_IDLE_EVERY_MS = 50;
const COLLECT_EVERY_MS = 24 * 3600_000;

export interface ServerOptions {
  readonly directory: string;
  readonly host: string;
  readonly port: number;
  readonly feedPort: number;
  /** What license files say, when it is not the address listened on. */
  readonly publicFeed?: FeedAddress;
  /** A second port for sites, which show a certificate there. */
  readonly mtls?: MtlsOptions;
  readonly databaseUrl?: string;
  readonly redisUrl?: string;
  readonly serverKey?: string;
  /** Where browsers find the service, when it is not the address listened on. */
  readonly publicUrl?: string;
  /** Identity providers, as a file. */
  readonly oidcFile?: string;
  /** Networks that webhooks may reach beside public addresses, such as `10.20.0.0/16`. */
  readonly webhookNetworks?: readonly string[];
  /** Proxies whose `X-Forwarded-For` is believed, such as `10.0.0.7` or `10.20.0.0/16`. */
  readonly trustedProxies?: readonly string[];
  /** Keeps sealed objects in a bucket instead of files. */
  readonly s3?: S3Options;
  /** How much of what sites let their vendor look at is kept. */
  readonly support?: SupportLimits;
  readonly shutdown?: ShutdownOptions;
  readonly log?: Logger;
  /** Hears what the start is busy with, in words. */
  readonly onStep?: (step: string) => void;
}

export interface MtlsOptions {
  readonly port: number;
  /** What license files say, when it is not the port listened on. */
  readonly publicPort?: number;
  /** Without one, the service's own authority issues one for the host that license files name. */
  readonly files?: CertificateFiles;
}

export interface RunningServer {
  readonly url: string;
  readonly feed: FeedAddress;
  readonly adminTokenPath: string;
  /** Resolves when something that the service cannot do without has ended. */
  readonly lost: Promise<Error>;
  /** Stops taking requests, lets running ones and jobs come to their end within the bound, then stops everything that was started. */
  close(): Promise<void>;
}

/**
 * Starts the hosted service.
 *
 * @throws `port-in-use`, `server-running`, `database-start`, `database-missing`, `database-unreachable`, `queue-unreachable`,
 *   `data-directory`, `restore-unfinished`, `config-invalid`, `file-unreadable`
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  await using started = new AsyncDisposableStack();
  const shutdown = shutdownOf(options.shutdown ?? {});
  const running = await start(options, shutdown, started);
  const kept = started.move();
  const close = async () => {
    await shutdown.begin();
    await kept.disposeAsync();
    shutdown.end();
  };
  return { ...running, close };
}

async function start(options: ServerOptions, shutdown: Shutdown, cleanup: AsyncDisposableStack) {
  const directory = resolve(options.directory);
  const log = options.log ?? pino({ level: 'silent' });
  const step = options.onStep ?? (() => undefined);
  const networks = parseNetworks(options.webhookNetworks ?? []);
  const trustedProxies = parseProxies(options.trustedProxies ?? []);
  await ensureDirectory(directory, 0o711);
  await requireFreePorts(options);
  const feed = feedAddress(options);
  const access = openAccess({
    publicUrl: options.publicUrl ?? `http://${options.host}:${options.port}`,
    providers: options.oidcFile === undefined ? [] : await readOidcProviders(options.oidcFile),
  });
  if (options.mtls?.files) await readCertificateFiles(options.mtls.files, feed.host, new Date());
  if (options.redisUrl !== undefined) await requireRedis(options.redisUrl);
  const lock = await tryLock(join(directory, 'server.lock'));
  if (!lock) throw serverError('server-running', `Another service uses ${directory}.`);
  cleanup.defer(() => lock.release());
  await requireNoMark(directory);

  step(options.databaseUrl === undefined ? 'starting the embedded PostgreSQL' : 'connecting to PostgreSQL');
  const { connection, lost } = await databaseConnection(options, directory, cleanup);
  const db = openDatabase(connection);
  cleanup.defer(() => beforeAbort(db.destroy(), shutdown.deadline));
  await migrate(db);

  const vault = await openVault(directory, options.serverKey);
  const storageOf = await openStorage(directory, options.s3);
  const context: Context = { db, storageOf, vault, log, feed, now: () => new Date() };
  const adminTokenPath = await ensureAdminToken(db, directory, context.now());

  step('starting the job queue');
  const backend = { connection, redisUrl: options.redisUrl };
  const open: Pick<JobQueue<never>, 'close'>[] = [];
  cleanup.defer(async () => void (await Promise.all(open.map(queue => queue.close(shutdown.deadline)))));
  const support = options.support ?? DEFAULT_SUPPORT_LIMITS;
  const { jobs, queues } = await startJobs(context, support, backend, open);
  const onError = (error: Error) => log.warn({ err: error }, 'webhooks');
  const webhooks = await openWebhookQueue(context, backend, networks, onError);
  open.push(webhooks);

  const board = await BulletinBoard.open(context);
  cleanup.defer(() => board.close());

  step('opening the ports');
  const requests = new RequestMetrics();
  const { isStopping, deadline } = shutdown;
  const parts = {
    access,
    board,
    jobs,
    networks,
    queues: { ...queues, webhooks },
    requests,
    support,
    isStopping,
    trustedProxies,
  };
  const ports: ((deadline: AbortSignal) => Promise<void>)[] = [];
  cleanup.defer(async () => void (await Promise.all(ports.map(close => close(deadline)))));
  ports.push(await listen(board.inFrontOf(vendorApi(context, parts)), options));
  const api = feedApi(context, board, support);
  const sites = pskServer(api, identity => keyOfIdentity(context, identity), log);
  await listenNet(sites.server, options.host, options.feedPort);
  ports.push(sites.close);
  if (options.mtls) {
    const certified = await certificatePort(context, options.mtls.files, api);
    ports.push(certified.close);
    await listenNet(certified.server, options.host, options.mtls.port);
  }
  return { url: `http://${options.host}:${options.port}`, feed, adminTokenPath, lost };
}

function feedAddress({ host, feedPort, publicFeed, mtls }: ServerOptions): FeedAddress {
  const address = publicFeed ?? { host, port: feedPort };
  return mtls ? { ...address, mtlsPort: mtls.publicPort ?? mtls.port } : address;
}

async function databaseConnection(options: ServerOptions, directory: string, cleanup: AsyncDisposableStack) {
  if (options.databaseUrl !== undefined) {
    await requireDatabase(options.databaseUrl);
    return { connection: { connectionString: options.databaseUrl }, lost: new Promise<Error>(() => undefined) };
  }
  const postgres = await startEmbeddedPostgres(join(directory, 'postgres'));
  cleanup.defer(() => postgres.stop());
  return { connection: postgres.connection, lost: postgres.lost };
}

async function startJobs(
  context: Context,
  support: SupportLimits,
  backend: { connection: Parameters<typeof openDatabase>[0]; redisUrl: string | undefined },
  open: Pick<JobQueue<never>, 'close'>[],
) {
  const onError = (error: Error) => context.log.warn({ err: error }, 'job queue');
  const releases = await openQueue<PublishJob>(backend, 'releases', {
    work: (_, job) => publishRelease(tenantOf(context, job.organization), job),
    givenUp: (_, job) => giveUpRelease(tenantOf(context, job.organization), job),
    onError,
  });
  open.push(releases);
  const wraps = await openQueue<WrapJob>(backend, 'wraps', {
    work: (_, { organization, manifest }) => wrapForAll(tenantOf(context, organization), manifest),
    onError,
  });
  open.push(wraps);
  const upkeep = await openQueue<object>(backend, 'upkeep', {
    work: name => upkeepWork(context, support, name),
    onError,
  });
  open.push(upkeep);
  await upkeep.every(RENEW_EVERY_MS, 'renew-online-roles', {});
  await upkeep.every(COLLECT_EVERY_MS, 'collect-garbage', {});
  const jobs = {
    publish: (job: PublishJob) => releases.add('publish', job),
    wrapForAll: (job: WrapJob) => wraps.add('wrap-for-all', job),
  };
  return { jobs, queues: { releases, wraps, upkeep } };
}

async function upkeepWork(context: Context, support: SupportLimits, name: string): Promise<void> {
  if (name === 'collect-garbage') {
    await forgetBundles(context, support);
    await collectAllGarbage(context);
    await forgetAnswers(context);
    await forgetEnded(context);
  } else {
    await renewOnlineRoles(context);
    await renewBulletins(context);
  }
}

/** Found out before the database starts: the commonest mistake should be told first and fast. */
async function requireFreePorts({ host, port, feedPort, mtls }: ServerOptions): Promise<void> {
  const ports = [port, feedPort, ...(mtls ? [mtls.port] : [])];
  const twice = ports.find((wanted, index) => ports.indexOf(wanted) < index);
  if (twice !== undefined) {
    throw serverError('config-invalid', `The vendor API and the sites cannot both have port ${twice}.`);
  }
  for (const wanted of ports) {
    const probe = net.createServer();
    await listenNet(probe, host, wanted);
    await closed(probe);
  }
}

/** Returns what closes the port: at once for new connections, when they are answered for those that wait for an answer. */
async function listen(handler: RequestListener, options: ServerOptions) {
  const server = await new Promise<Server>((resolve, reject) => {
    const listening = createServer(handler).once('error', reject);
    listening.listen(options.port, options.host, () => resolve(listening));
  });
  return async (deadline: AbortSignal) => {
    const ended = closed(server);
    const idle = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
    await beforeAbort(ended, deadline, () => server.closeAllConnections());
    clearInterval(idle);
  };
}

function listenNet(server: net.Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const inUse = cause.code === 'EADDRINUSE';
      reject(inUse ? serverError('port-in-use', `Port ${port} on ${host} is already in use.`, { cause }) : cause);
    });
    server.listen(port, host, resolve);
  });
}

function closed(server: net.Server): Promise<void> {
  return new Promise(resolve => server.close(() => resolve()));
}
