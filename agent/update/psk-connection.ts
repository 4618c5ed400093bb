// The usual way to the service: TLS 1.3 with a pre-shared key. A site's is keyed by the license's entitlement key, a relay's by its pass.
import tls from 'node:tls';
import { type FeedAddress, PSK_CIPHERS } from '../../bundles/index.ts';
import { type Credential, type FeedConnection, watchHandshake } from './feed-connection.ts';

export interface KeyedIdentity {
  readonly identity: string;
  readonly psk: Buffer;
  readonly credential: Credential;
}

export function pskConnection(
  { host, port }: FeedAddress,
  { identity, psk, credential }: KeyedIdentity,
): FeedConnection {
  const connect = (timeoutMs: number) => {
    const socket = tls.connect({
      host,
      port,
      minVersion: 'TLSv1.3',
      ciphers: PSK_CIPHERS,
      pskCallback: () => ({ psk, identity }),
      // The key proves both ends. A server that ignores it and shows a certificate instead is an impostor, whoever signed that.
      ca: [],
      checkServerIdentity: () => new Error('a certificate instead of the license’s key'),
    });
    return watchHandshake(socket, credential, timeoutMs);
  };
  return { host, port, connect };
}
