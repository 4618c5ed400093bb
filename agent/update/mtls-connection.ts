// The other way to the service: TLS 1.3 with a certificate at both ends, where pre-shared keys do not get through.
import tls from 'node:tls';
import { type FeedConnection, watchHandshake } from './feed-connection.ts';
import type { SiteCertificate } from './site.ts';

export function mtlsConnection(host: string, own: SiteCertificate): FeedConnection {
  const { port, certificate, privateKey, authorities } = own;
  const connect = (timeoutMs: number) => {
    const socket = tls.connect({
      host,
      port,
      minVersion: 'TLSv1.3',
      cert: certificate,
      key: privateKey,
      // These only: who has a certificate of some public authority for this name is not the service yet.
      ca: authorities,
    });
    return watchHandshake(socket, 'certificate', timeoutMs);
  };
  return { host, port, connect };
}
