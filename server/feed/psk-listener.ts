// The port that sites connect to: TLS 1.3 with the license's pre-shared key, so that the connection is encrypted with
// the entitlement key of the license. Without the key of an active license no byte of HTTP is read.
import { constants } from 'node:crypto';
import type { RequestListener } from 'node:http';
import net from 'node:net';
import tls from 'node:tls';
import type { Logger } from 'pino';
import { PSK_CIPHERS } from '../../bundles/index.ts';
import type { LicenseKey } from '../licenses/entitlement.ts';
import { MAX_HELLO_BYTES, readPskIdentity } from './client-hello.ts';
import { HANDSHAKE_TIMEOUT_MS, type SitePort, sitePort } from './site-port.ts';

/** A TCP server that speaks HTTP inside PSK connections. `lookUpKey` answers undefined for an id without access. */
export function pskServer(
  handler: RequestListener,
  lookUpKey: (identity: string) => Promise<LicenseKey | undefined>,
  log: Logger,
): SitePort {
  const server = net.createServer(socket => {
    socket.on('error', () => socket.destroy());
    accept(socket).catch(() => socket.destroy());
  });
  const { port, admit } = sitePort(server, handler, log);

  const accept = async (socket: net.Socket) => {
    const timer = setTimeout(() => socket.destroy(), HANDSHAKE_TIMEOUT_MS);
    socket.once('close', () => clearTimeout(timer));
    const { identity, bytes } = await peekIdentity(socket);
    const known = await lookUpKey(identity);
    if (!known) {
      log.warn({ license: identity.slice(0, 64), reason: 'no active license' }, 'connection refused');
      socket.destroy();
      return;
    }
    const { key, ...whose } = known;
    socket.unshift(bytes);
    const secure = secureSocket(socket, identity, key);
    secure.on('error', error => {
      log.warn({ license: identity, reason: error.message }, 'connection failed');
      secure.destroy();
    });
    secure.once('secure', () => {
      clearTimeout(timer);
      const stillOpens = async () => (await lookUpKey(identity))?.key.equals(key) ?? false;
      admit(secure, { ...whose, stillOpens });
    });
  };
  return port;
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
