// Puts the on-prem agent together: its site, its coordination, its drivers, the boot service and the console. The only
// place in this room that reads the clock and decides what is real.
import type { Server } from 'node:http';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Express } from 'express';
import { type Logger, pino } from 'pino';
import { filesystemStore } from '../bundles/index.ts';
import { ensureDirectory, tryLock } from '../signing/index.ts';
import { consoleToken } from './api/access.ts';
import { consoleApi } from './api/console-api.ts';
import type { ConsoleState } from './api/state.ts';
import { bootService } from './boot/boot-service.ts';
import { embeddedCoordination } from './coordination/embedded.ts';
import { Daemon } from './daemon.ts';
import { agentError } from './errors.ts';
import { simulatedDrivers } from './simulated/ports.ts';
import { changeLabels } from './update/settings.ts';
import { readSite } from './update/site.ts';

export interface AgentOptions {
  readonly directory: string;
  readonly host: string;
  readonly consolePort: number;
  readonly bootPort: number;
  /** Address of the simulated cluster. */
  readonly clusterUrl: string;
  /** Relays of the license nearby, asked in this order before the service. */
  readonly relays?: readonly string[];
  /** Web servers that serve what a stick carries; the service's files are fetched from there too. */
  readonly mirrors: readonly string[];
  /** Boot services of other agents nearby, from which sealed objects are fetched too. */
  readonly peers: readonly string[];
  /** On average. */
  readonly checkEveryMs: number;
  /** Labels of this site to add; one with an empty value is taken away. They are kept. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly rebootTimeoutMs: number;
  readonly agentVersion: string;
  readonly log?: Logger;
}

export interface RunningAgent {
  /** The console with its token: a secret. */
  readonly consoleUrl: string;
  readonly bootUrl: string;
  state(): ConsoleState;
  /** Calls back whenever the state has changed. */
  subscribe(listener: () => void): void;
  close(): Promise<void>;
}

/** Between two looks at the cluster: short after something was done, so that one step follows another quickly. */
const TICK_MS = 200;
const BUSY_TICK_MS = 50;
const STOP_TIMEOUT_MS = 3000;

/**
 * Starts the agent of an activated site.
 *
 * @throws `config-invalid`, `not-activated`, `agent-running`, `port-in-use`, `coordination-damaged`
 */
export async function startAgent(options: AgentOptions): Promise<RunningAgent> {
  await using started = new AsyncDisposableStack();
  const running = await start(options, started);
  const kept = started.move();
  return { ...running, close: () => kept.disposeAsync() };
}

async function start(options: AgentOptions, cleanup: AsyncDisposableStack) {
  const directory = resolve(options.directory);
  const log = options.log ?? pino({ level: 'silent' });
  if (options.consolePort === options.bootPort) {
    throw agentError('config-invalid', `The console and the boot service cannot both have port ${options.bootPort}.`);
  }
  const site = await readSite(directory);
  if (!site.connected && options.mirrors.length + (options.relays?.length ?? 0) > 0) {
    const what = 'This site was activated with --offline: it asks no mirror and no relay, as it asks nobody.';
    throw agentError('config-invalid', what);
  }
  await ensureDirectory(directory, 0o700);
  const lock = await tryLock(join(directory, 'agent.lock'));
  if (!lock) throw agentError('agent-running', `Another agent uses ${directory}.`);
  cleanup.defer(() => lock.release());

  if (options.labels) await changeLabels(directory, options.labels);
  const coordination = await embeddedCoordination(directory);
  cleanup.defer(() => coordination.close());
  const drivers = simulatedDrivers(options.clusterUrl);
  const daemon = await Daemon.start({ ...options, directory, site, coordination, drivers, log, now: () => Date.now() });

  const objects = filesystemStore(join(directory, 'objects'));
  const bootUrl = `http://${options.host}:${options.bootPort}`;
  const boot = await listen(bootService(daemon.bootSource, objects, bootUrl), options.host, options.bootPort);
  cleanup.defer(() => closed(boot));
  const token = await consoleToken(directory);
  const console = await listen(consoleApi(daemon, token, log), options.host, options.consolePort);
  cleanup.defer(() => closed(console));
  cleanup.defer(run(daemon, options.checkEveryMs));
  return {
    consoleUrl: `http://${options.host}:${options.consolePort}/?token=${token}`,
    bootUrl,
    state: () => daemon.state(),
    subscribe: (listener: () => void) => void daemon.subscribe(listener),
  };
}

/** The two loops of the agent, each on its own time. Returns how to stop them. */
function run(daemon: Daemon, checkEveryMs: number): () => Promise<void> {
  const stop = new AbortController();
  const { signal } = stop;
  const loop = async (work: () => Promise<number>) => {
    while (!signal.aborted) await sleep(await work(), undefined, { signal }).catch(() => undefined);
  };
  const loops = [
    loop(async () => ((await daemon.tick()) ? BUSY_TICK_MS : TICK_MS)),
    loop(async () => {
      await daemon.check();
      return jittered(checkEveryMs);
    }),
  ];
  return async () => {
    stop.abort();
    // A fetch that is under way is dropped: it goes on from where it was at the next start.
    await Promise.race([Promise.all(loops), sleep(STOP_TIMEOUT_MS)]);
  };
}

/** From half as long to half as long again: thousands of sites that begin together do not ask together for long. */
function jittered(ms: number): number {
  return ms * (0.5 + Math.random());
}

function listen(app: Express, host: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = app.listen(port, host, (error?: NodeJS.ErrnoException) => {
      if (!error) return resolve(server);
      const inUse = error.code === 'EADDRINUSE';
      reject(inUse ? agentError('port-in-use', `Port ${port} on ${host} is already in use.`, { cause: error }) : error);
    });
  });
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise(resolve => server.close(() => resolve()));
}
