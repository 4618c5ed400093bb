// The usual way to the service: TLS 1.3 keyed by the license's entitlement key.
import tls from 'node:tls';
import { PSK_CIPHERS } from '../../bundles/index.ts';
import { pskOf } from '../../signing/index.ts';
import { type FeedConnection, watchHandshake } from './feed-connection.ts';
import { entitlementSecret, type Site } from './site.ts';

export function pskConnection(site: Site): FeedConnection {
  const { host, port } = site.feed;
  const psk = pskOf(entitlementSecret(site));
  const connect = (timeoutMs: number) => {
    const socket = tls.connect({
      host,
      port,
      minVersion: 'TLSv1.3',
      ciphers: PSK_CIPHERS,
      pskCallback: () => ({ psk, identity: site.licenseId }),
      // The key proves both ends. A server that ignores it and shows a certificate instead is an impostor, whoever signed that.
      ca: [],
      checkServerIdentity: () => new Error('a certificate instead of the license’s key'),
    });
    return watchHandshake(socket, 'key', timeoutMs);
  };
  return { host, port, connect };
}
