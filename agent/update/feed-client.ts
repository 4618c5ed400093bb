// The connection to the hosted service: TLS 1.3 keyed by the license's entitlement key. Everything that comes over it is
// verified by whoever asked; sizes and times are bounded here.
import http from 'node:http';
import tls from 'node:tls';
import { z } from 'zod';
import {
  type ActivationRequest,
  activationResponseSchema,
  type BundleSource,
  bundleError,
  directorResponseSchema,
  feedPaths,
  PSK_CIPHERS,
  parseDocument,
  type SiteReport,
} from '../../bundles/index.ts';
import { type MetadataSource, pskOf, reasonOf, type Wrap, wrapSchema } from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import { collectAtMost } from './collect.ts';
import { entitlementSecret, type Site } from './site.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** A whole answer, unless who asks has a limit of their own: 1 MiB at the slowest line we serve (64 kB/s) takes 17 s. */
const ANSWER_TIMEOUT_MS = 120_000;
const CONNECTIONS = 6;
const JSON_BYTES = 64 * 1024;
const DIRECTOR_BYTES = 256 * 1024;

export interface FeedClient extends MetadataSource, BundleSource {
  /** Binds the site to its license; returns the license document. */
  activate(request: ActivationRequest): Promise<string>;
  report(report: SiteReport): Promise<void>;
  close(): void;
}

/**
 * A client for one site.
 *
 * All calls throw `feed-unreachable`, `feed-refused`, `feed-failed`, `feed-too-large`.
 */
export function feedClient(site: Site, connectTimeoutMs = CONNECT_TIMEOUT_MS): FeedClient {
  const psk = pskOf(entitlementSecret(site));
  const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  agent.createConnection = () => connect(site, psk, connectTimeoutMs);

  const ask = (path: string, maxBytes: number, { body, signal }: Partial<Pick<Ask, 'body' | 'signal'>> = {}) =>
    request({ agent, site, path, maxBytes, body, signal: signal ?? AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  const required = async (path: string, maxBytes: number, body?: unknown) => {
    const answer = await ask(path, maxBytes, { body });
    if (answer) return answer;
    throw agentError('feed-failed', `The service does not have ${path}.`);
  };

  return {
    name: `service ${site.feed.host}:${site.feed.port}`,
    metadata: (name, maxBytes) => ask(feedPaths.metadata(name), maxBytes),
    target: (_path, sha256, maxBytes) => ask(feedPaths.target(sha256), maxBytes),
    async object(digest, maxBytes, signal) {
      const bytes = await ask(feedPaths.object(digest), maxBytes, { ...(signal ? { signal } : {}) });
      if (bytes) return bytes;
      throw bundleError('object-missing', `The service does not have the object ${digest}.`);
    },
    async wrap(_license, manifest): Promise<Wrap> {
      return parseDocument(wrapSchema, await required(feedPaths.wrap(manifest), JSON_BYTES), 'wrapped key');
    },
    async director() {
      const answer = JSON.parse((await required(feedPaths.director(site.site), DIRECTOR_BYTES)).toString('utf8'));
      return directorResponseSchema.parse(answer).document;
    },
    async license() {
      return parseDocument(activationResponseSchema, await required(feedPaths.license, JSON_BYTES), 'license').license;
    },
    async activate(body) {
      const answer = await required(feedPaths.activations, JSON_BYTES, body);
      return parseDocument(activationResponseSchema, answer, 'answer to the activation').license;
    },
    async report(body) {
      await ask(feedPaths.reports, JSON_BYTES, { body });
    },
    close: () => agent.destroy(),
  };
}

/** Errors of connections whose handshake was refused: somebody answered, and did not accept the key. */
const refusals = new WeakSet<Error>();

/** What OpenSSL says when the other end does not speak TLS at all. */
const NOT_TLS = /wrong version number|packet length too long/;

function connect(site: Site, psk: Buffer, timeoutMs: number): tls.TLSSocket {
  let answered = false;
  let secure = false;
  let slow = false;
  const socket = tls.connect({
    host: site.feed.host,
    port: site.feed.port,
    minVersion: 'TLSv1.3',
    ciphers: PSK_CIPHERS,
    pskCallback: () => ({ psk, identity: site.licenseId }),
    // The key proves both ends. A server that ignores it and shows a certificate instead is an impostor, whoever signed that.
    ca: [],
    checkServerIdentity: () => new Error('a certificate instead of the license’s key'),
  });
  socket.setTimeout(timeoutMs, () => {
    slow = true;
    socket.destroy(new Error(`no handshake within ${timeoutMs / 1000} s`));
  });
  socket.once('connect', () => {
    answered = true;
  });
  socket.once('secureConnect', () => {
    secure = true;
    socket.setTimeout(0);
  });
  socket.once('error', error => {
    if (answered && !secure && !slow && !NOT_TLS.test(error.message)) refusals.add(error);
  });
  return socket;
}

interface Ask {
  readonly agent: http.Agent;
  readonly site: Site;
  readonly path: string;
  readonly maxBytes: number;
  readonly body: unknown;
  readonly signal: AbortSignal;
}

/** The body of a successful answer; undefined for "there is no such thing". */
async function request({ agent, site, path, maxBytes, body, signal }: Ask): Promise<Buffer | undefined> {
  const json = body === undefined ? undefined : JSON.stringify(body);
  const { host, port } = site.feed;
  const where = `${host}:${port}`;
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const headers = json === undefined ? {} : { 'content-type': 'application/json' };
    const call = http.request({
      agent,
      host,
      port,
      path,
      method: json === undefined ? 'GET' : 'POST',
      headers,
      signal,
    });
    call.once('response', resolve);
    call.once('error', cause => reject(transportError(where, cause)));
    call.end(json);
  });
  const answer = await collect(response, maxBytes, where, path);
  const status = response.statusCode ?? 0;
  if (status === 404) return undefined;
  if (status >= 200 && status < 300) return answer;
  throw problem(where, status, answer);
}

async function collect(response: http.IncomingMessage, maxBytes: number, where: string, path: string): Promise<Buffer> {
  const most = response.statusCode === 200 ? maxBytes : Math.max(maxBytes, JSON_BYTES);
  const tooLarge = () =>
    agentError('feed-too-large', `The service ${where} sends more than ${most} bytes for ${path}.`);
  try {
    return await collectAtMost(response, most, tooLarge);
  } catch (error) {
    response.destroy();
    throw error instanceof Error && 'kind' in error ? error : transportError(where, error as Error);
  }
}

/** A handshake that fails says that the key is not accepted; everything else is the network's fault. */
function transportError(where: string, cause: Error): Error {
  if (NOT_TLS.test(cause.message)) {
    return agentError('feed-failed', `What answers at ${where} is no update service.`, { cause });
  }
  if (!refusals.has(cause)) {
    return agentError('feed-unreachable', `The service ${where} does not answer: ${reasonOf(cause)}.`, { cause });
  }
  const why = `The service ${where} ended the connection: it does not accept this license’s key.`;
  return agentError('feed-refused', why, { cause });
}

const problemSchema = z.object({ code: z.string(), detail: z.string() });

function problem(where: string, status: number, body: Buffer): Error {
  const parsed = problemSchema.safeParse(jsonOrNothing(body));
  const said = parsed.success ? parsed.data.detail : `status ${status}`;
  if (status === 403) return agentError('license-refused', `The service refuses: ${said}`);
  return agentError('feed-failed', `The service ${where} failed: ${said}`);
}

function jsonOrNothing(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
