// The port that sites connect to: TLS 1.3 with the license's pre-shared key, so that the connection is encrypted with
// the entitlement key of the license. Without the key of an active license no byte of HTTP is read.
import { constants } from 'node:crypto';
import { createServer, type RequestListener, type Server } from 'node:http';
import net from 'node:net';
import tls from 'node:tls';
import type { Logger } from 'pino';
import { PSK_CIPHERS } from '../../bundles/index.ts';
import { MAX_HELLO_BYTES, readPskIdentity } from './client-hello.ts';

/** Long enough for a slow line, short enough that idle connections do not pile up. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** A connection on which nothing moves either way: a site that is gone, or one that does not read. */
const SILENCE_TIMEOUT_MS = 60_000;
const MAX_CONNECTIONS = 10_000;
/** A site uses six; a license may have several sites behind one address. */
const MAX_CONNECTIONS_A_LICENSE = 256;

/** The license of each connection, for the handlers behind it. */
const licenseOf = new WeakMap<net.Socket, string>();

/** The license whose key encrypts this connection. */
export function connectionLicense(socket: net.Socket): string {
  const license = licenseOf.get(socket);
  if (license === undefined) throw new Error('this connection did not come through the feed port');
  return license;
}

export interface PskServer {
  readonly server: net.Server;
  /** Ends every connection and stops listening. */
  close(): Promise<void>;
}

/** A TCP server that speaks HTTP inside PSK connections. `lookUpKey` answers undefined for an id without access. */
export function pskServer(
  handler: RequestListener,
  lookUpKey: (identity: string) => Promise<Buffer | undefined>,
  log: Logger,
): PskServer {
  const http = innerServer(handler);
  const sockets = new Set<net.Socket>();
  const counts = new Map<string, number>();
  const server = net.createServer(socket => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    accept(socket).catch(() => socket.destroy());
  });

  const accept = async (socket: net.Socket) => {
    const timer = setTimeout(() => socket.destroy(), HANDSHAKE_TIMEOUT_MS);
    socket.once('close', () => clearTimeout(timer));
    const { identity, bytes } = await peekIdentity(socket);
    const key = await lookUpKey(identity);
    const open = counts.get(identity) ?? 0;
    if (!key || open >= MAX_CONNECTIONS_A_LICENSE) {
      const reason = key ? 'too many connections' : 'no active license';
      log.warn({ license: identity.slice(0, 64), reason }, 'connection refused');
      socket.destroy();
      return;
    }
    counts.set(identity, open + 1);
    socket.once('close', () => counts.set(identity, (counts.get(identity) ?? 1) - 1));
    socket.unshift(bytes);
    const secure = secureSocket(socket, identity, key);
    secure.on('error', error => {
      log.warn({ license: identity, reason: error.message }, 'connection failed');
      secure.destroy();
    });
    secure.once('secure', () => {
      clearTimeout(timer);
      licenseOf.set(secure, identity);
      http.emit('connection', secure);
    });
  };

  server.maxConnections = MAX_CONNECTIONS;
  return {
    server,
    close: () =>
      new Promise(resolve => {
        http.emit('close');
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
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

function secureSocket(socket: net.Socket, identity: string, key: Buffer): tls.TLSSocket {
  return new tls.TLSSocket(socket, {
    isServer: true,
    minVersion: 'TLSv1.3',
    ciphers: PSK_CIPHERS,
    // A resumed session would skip the key, and a license revoked meanwhile would still connect.
    secureOptions: constants.SSL_OP_NO_TICKET,
    pskCallback: (_socket: tls.TLSSocket, offered: string) => (offered === identity ? key : null),
  } as tls.TLSSocketOptions);
}

/** Collects the first bytes until they name an identity. Rejects for anything that is no such ClientHello. */
function peekIdentity(socket: net.Socket): Promise<{ readonly identity: string; readonly bytes: Buffer }> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    const done = (settle: () => void) => {
      socket.off('readable', look);
      socket.off('close', refuse);
      settle();
    };
    const refuse = () => done(() => reject(new Error('no identity')));
    const look = () => {
      const part: Buffer | null = socket.read();
      if (part) bytes = Buffer.concat([bytes, part]);
      const result = readPskIdentity(bytes);
      if (result.status === 'identity') done(() => resolve({ identity: result.identity, bytes }));
      else if (result.status === 'refused' || bytes.length > MAX_HELLO_BYTES) refuse();
    };
    socket.on('readable', look);
    socket.once('close', refuse);
  });
}
