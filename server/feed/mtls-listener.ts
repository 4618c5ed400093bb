// The port for sites that show a certificate: TLS 1.3 both ways. Only what the service's own authority has signed for a site
// is let in, and only if the service remembers issuing it; without that no byte of HTTP is read.
import { constants, X509Certificate } from 'node:crypto';
import type { RequestListener } from 'node:http';
import tls from 'node:tls';
import type { Logger } from 'pino';
import type { FeedConnection } from './connection.ts';
import { HANDSHAKE_TIMEOUT_MS, type SitePort, sitePort } from './site-port.ts';

/** What the service shows to sites; PEM, the certificates from its own to the last below the authority. */
export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface MtlsPort extends SitePort {
  /** Shows another certificate to the sites that connect from now on. */
  show(certificate: ServerCertificate): void;
}

/**
 * A TCP server that speaks HTTP inside mutual TLS.
 *
 * @param authority PEM of the only authority whose certificates are accepted
 * @param lookUp answers undefined for a certificate that was never issued
 */
export function mtlsServer(
  handler: RequestListener,
  { authority, shown }: { readonly authority: string; readonly shown: ServerCertificate },
  lookUp: (certificate: X509Certificate) => Promise<FeedConnection | undefined>,
  log: Logger,
): MtlsPort {
  const server = tls.createServer({
    ...secureContext(authority, shown),
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  });
  const { port, admit } = sitePort(server, handler, log);
  const issuer = new X509Certificate(authority);

  const accept = async (secure: tls.TLSSocket) => {
    const timer = setTimeout(() => secure.destroy(), HANDSHAKE_TIMEOUT_MS);
    secure.once('close', () => clearTimeout(timer));
    const certificate = secure.authorized ? secure.getPeerX509Certificate() : undefined;
    const connection = certificate?.checkIssued(issuer) ? await lookUp(certificate) : undefined;
    clearTimeout(timer);
    if (connection) return admit(secure, connection);
    log.warn({ subject: certificate?.subject.slice(0, 128), reason: 'never issued' }, 'connection refused');
    secure.destroy();
  };
  server.on('secureConnection', secure => {
    secure.on('error', () => secure.destroy());
    accept(secure).catch(() => secure.destroy());
  });
  server.on('tlsClientError', (error, secure) => {
    log.warn({ reason: error.message }, 'connection failed');
    secure.destroy();
  });
  return { ...port, show: certificate => server.setSecureContext(secureContext(authority, certificate)) };
}

function secureContext(authority: string, { cert, key }: ServerCertificate): tls.SecureContextOptions {
  return {
    cert,
    key,
    ca: [authority],
    minVersion: 'TLSv1.3',
    // A resumed session would skip the certificate, and one revoked meanwhile would still connect.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
