// What the ports for sites have in common: HTTP behind a handshake of their own, bounds, and an end to all of it at once.
import { createServer, type RequestListener, type Server } from 'node:http';
import type net from 'node:net';
import type tls from 'node:tls';
import type { Logger } from 'pino';
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
  /** Ends every connection and stops listening. */
  close(): Promise<void>;
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
  server.maxConnections = MAX_CONNECTIONS;
  server.on('connection', (socket: net.Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });

  const admit: Admit = (secure, connection) => {
    // It may have ended while its license was looked up.
    if (secure.destroyed) return;
    const { license } = connection;
    const open = counts.get(license) ?? 0;
    if (open >= MAX_CONNECTIONS_A_LICENSE) {
      log.warn({ license, reason: 'too many connections' }, 'connection refused');
      secure.destroy();
      return;
    }
    counts.set(license, open + 1);
    secure.once('close', () => counts.set(license, (counts.get(license) ?? 1) - 1));
    setConnection(secure, connection);
    http.emit('connection', secure);
  };

  const close = () =>
    new Promise<void>(resolve => {
      http.emit('close');
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
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
