// The other end of a line over HTTP: how it is asked, and what its failures are called. Requests to a plain web server carry
// nothing about this site, and lead nowhere but there.
import http, { type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import https from 'node:https';
import { reasonOf } from '../../signing/index.ts';
import { agentError } from '../errors.ts';

/** The lines to one other end. */
export const CONNECTIONS = 6;

export interface Sender {
  /** As in `mirror https://…`. */
  readonly name: string;
  /** The statuses that say that there is no such thing. */
  readonly missing: readonly number[];
  /** @throws what keeps an answer from coming; `feed-unreachable` where the line broke */
  ask(path: string, headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<IncomingMessage>;
  /** What an end in the middle of an answer is called. */
  broken(cause: unknown): Error;
  /** What any other status means. */
  refusal(response: IncomingMessage): Promise<Error>;
}

/** Somebody who serves files over HTTP, or HTTPS with a certificate that this machine trusts. */
export interface WebSender extends Sender {
  close(): void;
}

/** Stores that do not let strangers list what they hold say 403 of what they do not hold. */
const MISSING = [403, 404, 410] as const;

/** @param url paths are below it */
export function webSender(name: string, url: string, missing: readonly number[] = MISSING): WebSender {
  const base = new URL(url.endsWith('/') ? url : `${url}/`);
  const transport = base.protocol === 'https:' ? https : http;
  const agent = new transport.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  return {
    name,
    missing,
    ask: (path, headers, signal) =>
      new Promise((resolve, reject) => {
        const call = transport.request(new URL(path, base), { agent, headers, signal, rejectUnauthorized: true });
        call.once('response', resolve);
        call.on('error', cause => reject(unreachable(name, cause)));
        call.end();
      }),
    broken: cause => stopped(name, cause),
    refusal: async response => refused(name, response),
    close: () => agent.destroy(),
  };
}

export function stopped(name: string, cause: unknown): Error {
  return agentError('feed-unreachable', `The ${name} stopped in the middle: ${reasonOf(cause)}.`, { cause });
}

/** What OpenSSL and Node call a certificate that is not good for this host. */
const CERTIFICATE = /CERT|SELF_SIGNED|ISSUER|VERIFY|CRL|INVALID_CA|HOSTNAME/;

function unreachable(name: string, cause: NodeJS.ErrnoException): Error {
  if (CERTIFICATE.test(cause.code ?? '')) {
    const what = `The ${name} shows a certificate that cannot be trusted: ${reasonOf(cause)}.`;
    return agentError('feed-failed', what, { cause, hint: 'Check its address and its certificate.' });
  }
  return agentError('feed-unreachable', `The ${name} does not answer: ${reasonOf(cause)}.`, { cause });
}

/** Nobody is led elsewhere: an address that an outsider chooses may be one inside of this site. */
function refused(name: string, { statusCode = 0, headers: { location = '' } }: IncomingMessage): Error {
  if (statusCode < 300 || statusCode >= 400) {
    return agentError('feed-failed', `The ${name} answered ${statusCode}.`);
  }
  const where = URL.canParse(location) ? ` to ${new URL(location).origin}` : '';
  return agentError('answer-odd', `The ${name} sends us elsewhere${where}.`);
}
