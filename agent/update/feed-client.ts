// What a site asks the hosted service, over either kind of connection. Everything that comes over it is verified by whoever
// asked; sizes and times are bounded here.
import http from 'node:http';
import { z } from 'zod';
import {
  type ActivationRequest,
  activationResponseSchema,
  type BundleSource,
  bundleError,
  directorResponseSchema,
  feedPaths,
  parseDocument,
  type SiteReport,
} from '../../bundles/index.ts';
import { type MetadataSource, type Wrap, wrapSchema } from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import { collectAtMost } from './collect.ts';
import { type FeedConnection, transportError } from './feed-connection.ts';
import { mtlsConnection } from './mtls-connection.ts';
import { pskConnection } from './psk-connection.ts';
import type { Site } from './site.ts';

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
 * All calls throw `feed-unreachable`, `feed-refused`, `feed-untrusted`, `feed-failed`, `feed-too-large`.
 */
export function feedClient(site: Site, connectTimeoutMs = CONNECT_TIMEOUT_MS): FeedClient {
  const connection = site.certificate ? mtlsConnection(site.feed.host, site.certificate) : pskConnection(site);
  const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  agent.createConnection = () => connection.connect(connectTimeoutMs);

  const ask = (path: string, maxBytes: number, { body, signal }: Partial<Pick<Ask, 'body' | 'signal'>> = {}) =>
    request({ agent, connection, path, maxBytes, body, signal: signal ?? AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  const required = async (path: string, maxBytes: number, body?: unknown) => {
    const answer = await ask(path, maxBytes, { body });
    if (answer) return answer;
    throw agentError('feed-failed', `The service does not have ${path}.`);
  };

  return {
    name: `service ${connection.host}:${connection.port}`,
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

interface Ask {
  readonly agent: http.Agent;
  readonly connection: FeedConnection;
  readonly path: string;
  readonly maxBytes: number;
  readonly body: unknown;
  readonly signal: AbortSignal;
}

/** The body of a successful answer; undefined for "there is no such thing". */
async function request({ agent, connection, path, maxBytes, body, signal }: Ask): Promise<Buffer | undefined> {
  const json = body === undefined ? undefined : JSON.stringify(body);
  const { host, port } = connection;
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
    call.once('error', cause => reject(transportError(where, cause, call.socket)));
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
