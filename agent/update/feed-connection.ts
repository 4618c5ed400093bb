// A connection to the service, whichever way it is made. Watches over its handshake, and says what a failure means: that nobody
// answers, that something else does, or that the service does not accept what this site connects with.
import type net from 'node:net';
import type tls from 'node:tls';
import { reasonOf } from '../../signing/index.ts';
import { agentError } from '../errors.ts';

/** A way to the service. What is said over it is the same (`feed-client.ts`). */
export interface FeedConnection {
  readonly host: string;
  readonly port: number;
  /** Begins a connection; its handshake has to be done in this time. What fails is explained by `transportError`. */
  connect(timeoutMs: number): tls.TLSSocket;
}

/** What a site, or a relay, connects with. */
export type Credential = 'key' | 'certificate' | 'pass';

const SHOWN = {
  key: 'this license’s key',
  certificate: 'this site’s certificate',
  pass: 'this relay’s pass',
} as const satisfies Record<Credential, string>;

const PASS_REFUSED =
  'The license may have been revoked, or have a new key: make a pass of its newest file (`rollover relay pass`). Or the service is older than relays.';

interface Handshake {
  readonly credential: Credential;
  answered: boolean;
  secure: boolean;
  slow: boolean;
}

const handshakes = new WeakMap<net.Socket, Handshake>();

/** What OpenSSL says when the other end does not speak TLS at all. */
const NOT_TLS = /wrong version number|packet length too long/;
/** What an end of the connection looks like, from a service that did not like the certificate. */
const ENDED = /^(ECONNRESET|EPIPE|ERR_SSL_.*ALERT.*)$/;

/** Ends the connection unless its handshake is done in time. */
export function watchHandshake(socket: tls.TLSSocket, credential: Credential, timeoutMs: number): tls.TLSSocket {
  const handshake: Handshake = { credential, answered: false, secure: false, slow: false };
  handshakes.set(socket, handshake);
  socket.setTimeout(timeoutMs, () => {
    handshake.slow = true;
    socket.destroy(new Error(`no handshake within ${timeoutMs / 1000} s`));
  });
  socket.once('connect', () => {
    handshake.answered = true;
  });
  socket.once('secureConnect', () => {
    handshake.secure = true;
    socket.setTimeout(0);
  });
  return socket;
}

/** The error of a request that failed with `cause` on this socket; without one, while its answer was read. */
export function transportError(where: string, cause: Error, socket?: net.Socket | null): Error {
  if (NOT_TLS.test(cause.message)) {
    return agentError('feed-failed', `What answers at ${where} is no update service.`, { cause });
  }
  const handshake = socket ? handshakes.get(socket) : undefined;
  if (socket && handshake?.credential === 'certificate') {
    if ((socket as tls.TLSSocket).authorizationError) {
      return agentError('feed-untrusted', `What answers at ${where} is not the service: ${reasonOf(cause)}.`, {
        cause,
      });
    }
    if (isRefused(handshake) || isEndedAtOnce(handshake, socket, cause)) {
      const why = `The service ${where} ended the connection: it does not accept ${SHOWN.certificate}.`;
      const hint =
        'It may be over, or of another service. Ask the vendor, and take a new one with `rollover agent certificate`.';
      return agentError('feed-refused', why, { cause, hint });
    }
  } else if (handshake && isRefused(handshake)) {
    const why = `The service ${where} ended the connection: it does not accept ${SHOWN[handshake.credential]}.`;
    const hint = handshake.credential === 'pass' ? { hint: PASS_REFUSED } : {};
    return agentError('feed-refused', why, { cause, ...hint });
  }
  return agentError('feed-unreachable', `The service ${where} does not answer: ${reasonOf(cause)}.`, { cause });
}

/** Somebody answered, and the handshake failed. */
function isRefused({ answered, secure, slow }: Handshake): boolean {
  return answered && !secure && !slow;
}

/** In TLS 1.3 the service looks at the certificate when the handshake is done for the site: it ends without any HTTP. */
function isEndedAtOnce({ secure }: Handshake, socket: net.Socket, cause: NodeJS.ErrnoException): boolean {
  return secure && socket.bytesRead === 0 && ENDED.test(cause.code ?? '');
}
