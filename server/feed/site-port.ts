// What the ports for sites have in common: HTTP behind a handshake of their own, bounds, and an end to all of it at once.
import { createServer, type RequestListener, type Server } from 'node:http';
import type net from 'node:net';
import type tls from 'node:tls';
import type { Logger } from 'pino';
import { beforeAbort } from '../shutdown.ts';
import { type FeedConnection, setConnection } from './connection.ts';

/** Long enough for a slow line, short enough that idle connections do not pile up. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;
/** A connection on which nothing moves either way: a site that is gone, or one that does not read. */
const SILENCE_TIMEOUT_MS = 60_000;
const MAX_CONNECTIONS = 10_000;
/** A site uses six; a license may have several sites behind one address. */
export const MAX_CONNECTIONS_A_LICENSE = 256;

export interface SitePort {
  readonly server: net.Server;
  /** Stops listening, lets running requests come to their end until the deadline, then ends every connection. */
  close(deadline?: AbortSignal): Promise<void>;
}

/** Hands a connection whose handshake has proven its license over to HTTP, unless that license has too many. */
export type Admit = (secure: tls.TLSSocket, connection: FeedConnection) => void;

/** Puts HTTP behind `server`, whose connections `handler` gets once they are admitted. */
export function sitePort(
  server: net.Server,
  handler: RequestListener,
  log: Logger,
): { readonly port: SitePort; readonly admit: Admit } {
  const http = innerServer(handler);
  const sockets = new Set<net.Socket>();
  const counts = new Map<string, number>();
  const admitted = new Set<tls.TLSSocket>();
  /** Whose request has not been answered yet. */
  const busy = new Set<net.Socket>();
  let stopping = false;
  http.prependListener('request', ({ socket }, response) => {
    busy.add(socket);
    if (stopping) response.setHeader('connection', 'close');
    response.once('close', () => {
      busy.delete(socket);
      if (stopping) socket.end();
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('connection', (socket: net.Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });

  const admit: Admit = (secure, connection) => {
    // It may have ended while its license was looked up.
    if (secure.destroyed) return;
    if (stopping) return void secure.destroy();
    const { license } = connection;
    const open = counts.get(license) ?? 0;
    if (open >= MAX_CONNECTIONS_A_LICENSE) {
      log.warn({ license, reason: 'too many connections' }, 'connection refused');
      secure.destroy();
      return;
    }
    counts.set(license, open + 1);
    secure.once('close', () => counts.set(license, (counts.get(license) ?? 1) - 1));
    admitted.add(secure);
    secure.once('close', () => admitted.delete(secure));
    setConnection(secure, connection);
    http.emit('connection', secure);
  };

  const close = async (deadline = AbortSignal.abort()) => {
    stopping = true;
    const ended = new Promise<void>(resolve => server.close(() => resolve()));
    // Those that are asked something end with their answer, handshakes when their time is over.
    for (const secure of admitted) if (!busy.has(secure)) secure.destroy();
    await beforeAbort(ended, deadline, () => {
      for (const socket of sockets) socket.destroy();
    });
    http.emit('close');
  };
  return { port: { server, close }, admit };
}

/** Never listens itself. Node begins to watch request times when a server listens, so it is told that it does. */
function innerServer(handler: RequestListener): Server {
  const http = createServer(
    { connectionsCheckingInterval: 5000, headersTimeout: 15_000, requestTimeout: 60_000 },
    handler,
  );
  http.timeout = SILENCE_TIMEOUT_MS;
  http.emit('listening');
  return http;
}
