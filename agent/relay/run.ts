// A relay that runs: serves its folder, and syncs it now and then. While the service is away it serves what it has.
import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { RolloverError } from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import { relayServer } from './serve.ts';
import { type RelaySynced, type RelaySyncOptions, syncRelay } from './sync.ts';

export interface RelayOptions extends Omit<RelaySyncOptions, 'now'> {
  readonly host: string;
  readonly port: number;
  /** On average. */
  readonly syncEveryMs: number;
  now(): Date;
  onSynced?(synced: RelaySynced): void;
  /** Hears why a sync has failed; what was there is served as before. */
  onFailed?(error: RolloverError): void;
}

export interface RunningRelay {
  readonly url: string;
  close(): Promise<void>;
}

const STOP_TIMEOUT_MS = 3000;

/** @throws `port-in-use` */
export async function startRelay(options: RelayOptions): Promise<RunningRelay> {
  const { directory, host, port } = options;
  const server = relayServer(directory);
  await listen(server, host, port);
  const stop = new AbortController();
  const syncing = syncNowAndThen(options, stop.signal);
  const shown = host.includes(':') ? `[${host}]` : host;
  return {
    url: `http://${shown}:${(server.address() as { port: number }).port}`,
    async close() {
      stop.abort();
      const closed = new Promise(resolve => server.close(resolve));
      server.closeAllConnections();
      // A sync that is under way is dropped: it goes on from where it was at the next start.
      await Promise.race([Promise.all([closed, syncing]), sleep(STOP_TIMEOUT_MS, undefined, { ref: false })]);
    },
  };
}

async function syncNowAndThen(options: RelayOptions, signal: AbortSignal): Promise<void> {
  const { syncEveryMs, now, onSynced, onFailed } = options;
  while (!signal.aborted) {
    try {
      const synced = await syncRelay({ ...options, now: now() });
      onSynced?.(synced);
    } catch (error) {
      if (!(error instanceof RolloverError)) throw error;
      onFailed?.(error);
    }
    // From half as long to half as long again: many relays that began together do not ask together for long.
    await sleep(syncEveryMs * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined);
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const hint = { cause, hint: 'Stop the program that listens there, or choose another with --listen.' };
      const inUse = agentError('port-in-use', `Port ${port} on ${host} is already in use.`, hint);
      reject(cause.code === 'EADDRINUSE' ? inUse : cause);
    });
    server.listen(port, host, resolve);
  });
}
