// The port that sites connect to: TLS 1.3 with the license's pre-shared key, so that the connection is encrypted with
// the entitlement key of the license. Without the key of an active license no byte of HTTP is read.
import { constants } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import net from 'node:net';
import tls from 'node:tls';
import type { Logger } from 'pino';
import { PSK_CIPHERS } from '../../bundles/index.ts';
import { MAX_HELLO_BYTES, readPskIdentity } from './client-hello.ts';

/** Long enough for a slow line, short enough that idle connections do not pile up. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 10_000;

/** The license of each connection, for the handlers behind it. */
const licenseOf = new WeakMap<net.Socket, string>();

/** The license whose key encrypts this connection. */
export function connectionLicense(socket: net.Socket): string {
  const license = licenseOf.get(socket);
  if (license === undefined) throw new Error('this connection did not come through the feed port');
  return license;
}

/** A TCP server that speaks HTTP inside PSK connections. `lookUpKey` answers undefined for an id without access. */
export function pskServer(
  handler: RequestListener,
  lookUpKey: (identity: string) => Promise<Buffer | undefined>,
  log: Logger,
): net.Server {
  const http = createServer(handler);
  const server = net.createServer(async socket => {
    const timer = setTimeout(() => socket.destroy(), HANDSHAKE_TIMEOUT_MS);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => clearTimeout(timer));
    try {
      const { identity, bytes } = await peekIdentity(socket);
      const key = await lookUpKey(identity);
      if (!key) {
        log.warn({ license: identity.slice(0, 64) }, 'connection refused: no active license');
        socket.destroy();
        return;
      }
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
    } catch {
      socket.destroy();
    }
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('close', () => http.closeAllConnections());
  return server;
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

/** Collects the first bytes until they name an identity. @throws for anything that is no such ClientHello */
async function peekIdentity(socket: net.Socket): Promise<{ identity: string; bytes: Buffer }> {
  let bytes = Buffer.alloc(0);
  for (;;) {
    const part: Buffer | null = socket.read();
    if (part) bytes = Buffer.concat([bytes, part]);
    const result = readPskIdentity(bytes);
    if (result.status === 'identity') return { identity: result.identity, bytes };
    if (result.status === 'refused' || bytes.length > MAX_HELLO_BYTES) throw new Error('no identity');
    await new Promise<void>((resolve, reject) => {
      socket.once('readable', resolve);
      socket.once('close', () => reject(new Error('closed')));
    });
  }
}
