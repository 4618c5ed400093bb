// What a site asks the hosted service, over either kind of connection. Everything that comes over it is verified by whoever
// asked; sizes and times are bounded here.
import http from 'node:http';
import { z } from 'zod';
import {
  type ActivationRequest,
  activationResponseSchema,
  type BundleSource,
  directorResponseSchema,
  FragmentStore,
  feedPaths,
  parseDocument,
  type SeatLease,
  type SeatRequest,
  type SiteReport,
  type SupportTaker,
  seatLeaseSchema,
  supportAnswerSchema,
  type Watch,
} from '../../bundles/index.ts';
import { type MetadataSource, RolloverError, type SealedMessage, type Wrap, wrapSchema } from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import type { Said } from './bulletin.ts';
import { collectAtMost } from './collect.ts';
import { type FeedConnection, transportError } from './feed-connection.ts';
import { mtlsConnection } from './mtls-connection.ts';
import { pskConnection } from './psk-connection.ts';
import { CONNECTIONS, type Sender, stopped } from './sender.ts';
import { signedFiles } from './signed-files.ts';
import type { Site } from './site.ts';
import { Visit } from './visit.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** Of what this site tells the service. */
const ANSWER_TIMEOUT_MS = 120_000;
const JSON_BYTES = 64 * 1024;
const DIRECTOR_BYTES = 256 * 1024;
/** 16 rollouts that name a thousand sites in each of several stages, and 200 yanks in full length. */
const BULLETIN_BYTES = 4 * 1024 * 1024;

export interface FeedClient extends MetadataSource, BundleSource {
  /** Binds the site to its license; returns the license document. */
  activate(request: ActivationRequest): Promise<string>;
  /** What the service says of a channel; `unchanged` when that has this ETag still. */
  bulletin(product: string, channel: string, etag?: string): Promise<Answered | { readonly kind: 'unchanged' }>;
  report(report: SiteReport | SealedMessage): Promise<void>;
  /** Leases seats of a floating license, in place of those that the site has. */
  seats(request: SeatRequest): Promise<SeatLease>;
  /** Where support bundles go. @throws `support-not-taken` */
  readonly support: SupportTaker;
  close(): void;
}

/** What a service that answers has to say of a channel. */
type Answered = Exclude<Said, { readonly kind: 'silent' }>;

export interface FeedOptions {
  readonly connectTimeoutMs?: number;
  /** Keeps what has arrived of signed documents that are not whole. */
  readonly fragments?: FragmentStore;
}

/**
 * A client for one site.
 *
 * All calls throw `feed-unreachable`, `feed-refused`, `feed-untrusted`, `feed-failed`, `feed-too-large`, `source-slow`.
 */
export function feedClient(
  site: Site,
  { connectTimeoutMs = CONNECT_TIMEOUT_MS, fragments = new FragmentStore() }: FeedOptions = {},
): FeedClient {
  const connection = site.certificate ? mtlsConnection(site.feed.host, site.certificate) : pskConnection(site);
  const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  agent.createConnection = () => connection.connect(connectTimeoutMs);
  const sender = feedSender(connection, agent);
  const visit = new Visit(sender);
  const required = async (path: string, maxBytes: number) => {
    const answer = await visit.read(path, maxBytes);
    if (answer) return answer;
    throw agentError('feed-failed', `The service does not have ${path}.`);
  };

  return {
    ...signedFiles(sender, feedPaths, visit, fragments),
    async wrap(_license, manifest): Promise<Wrap> {
      return parseDocument(wrapSchema, await required(feedPaths.wrap(manifest), JSON_BYTES), 'wrapped key');
    },
    async director() {
      const answer = await required(feedPaths.director(site.site), DIRECTOR_BYTES);
      return parseDocument(directorResponseSchema, answer, 'answer about this site').document;
    },
    bulletin: (product, channel, etag) =>
      visit.spend('the bulletin', BULLETIN_BYTES, watch =>
        askBulletin(sender, feedPaths.bulletin(product, channel), etag, watch),
      ),
    async license() {
      return parseDocument(activationResponseSchema, await required(feedPaths.license, JSON_BYTES), 'license').license;
    },
    async activate(body) {
      const answer = await post(sender, feedPaths.activations, body);
      if (!answer) throw agentError('feed-failed', 'The service does not take activations.');
      return parseDocument(activationResponseSchema, answer, 'answer to the activation').license;
    },
    async report(body) {
      await post(sender, feedPaths.reports, body);
    },
    async seats(body) {
      const answer = await post(sender, feedPaths.seats, body);
      if (!answer) throw agentError('feed-failed', 'The service has no seats to lease.');
      return parseDocument(seatLeaseSchema, answer, 'answer about seats');
    },
    support: {
      async announce(head) {
        const answer = await post(sender, feedPaths.supportBundles, head);
        if (!answer) throw agentError('support-not-taken', 'The service does not take support bundles of this site.');
        return parseDocument(supportAnswerSchema, answer, 'answer about a support bundle');
      },
      async put(bundle, digest, part) {
        const answer = await send(sender, 'PUT', feedPaths.supportPart(bundle, digest), part);
        if (!answer) throw agentError('support-not-taken', `The service does not know the support bundle ${bundle}.`);
      },
    },
    close: () => agent.destroy(),
  };
}

/** One small question, answered without a body while nothing has changed (RFC 9110, section 13.1.2). */
async function askBulletin(sender: Sender, path: string, etag: string | undefined, { asked, arrived, signal }: Watch) {
  asked();
  const condition = etag === undefined ? {} : { 'if-none-match': etag };
  const response = await sender.ask(path, { 'accept-encoding': 'identity', ...condition }, signal);
  const { statusCode = 0, headers } = response;
  const isKnown = statusCode === 304 && etag !== undefined;
  if (statusCode !== 200 && !isKnown && !sender.missing.includes(statusCode)) throw await sender.refusal(response);
  const tooLarge = () => agentError('feed-too-large', `The ${sender.name} sends a bulletin of too many bytes.`);
  const body = await collectAtMost(counting(response, arrived), BULLETIN_BYTES, tooLarge).catch(error => {
    throw error instanceof RolloverError ? error : sender.broken(error);
  });
  if (isKnown) return { kind: 'unchanged' as const };
  if (statusCode !== 200) return { kind: 'none' as const };
  const tag = headers.etag !== undefined && ETAG.test(headers.etag) ? { etag: headers.etag } : {};
  return { kind: 'document' as const, document: body.toString('utf8').trim(), ...tag };
}

const ETAG = /^(W\/)?"[\x21\x23-\x7e]{1,128}"$/;

async function* counting(parts: AsyncIterable<Uint8Array>, arrived: Watch['arrived']) {
  for await (const part of parts) {
    arrived(part.length);
    yield part;
  }
}

/** JSON, or bytes. */
type Body = string | Uint8Array;

interface FeedSender extends Sender {
  send(method: 'POST' | 'PUT', path: string, body: Body, signal: AbortSignal): Promise<http.IncomingMessage>;
}

function feedSender({ host, port }: FeedConnection, agent: http.Agent): FeedSender {
  const where = `${host}:${port}`;
  const name = `service ${where}`;
  const send = (options: http.RequestOptions, body?: Body) =>
    new Promise<http.IncomingMessage>((resolve, reject) => {
      const call = http.request({ ...options, agent, host, port });
      call.once('response', resolve);
      call.on('error', cause => reject(transportError(where, cause, call.socket)));
      call.end(body);
    });
  return {
    name,
    missing: [404],
    ask: (path, headers, signal) => send({ path, headers, signal }),
    send: (method, path, body, signal) => {
      const type = typeof body === 'string' ? 'application/json' : 'application/octet-stream';
      return send({ path, method, headers: { 'content-type': type }, signal }, body);
    },
    broken: cause => stopped(name, cause),
    refusal: async response => problem(where, response.statusCode ?? 0, await collect(response, name)),
  };
}

function post(sender: FeedSender, path: string, body: unknown): Promise<Buffer | undefined> {
  return send(sender, 'POST', path, JSON.stringify(body));
}

/** The answer, undefined where the service has nothing of the kind. */
async function send(sender: FeedSender, method: 'POST' | 'PUT', path: string, body: Body): Promise<Buffer | undefined> {
  const response = await sender.send(method, path, body, AbortSignal.timeout(ANSWER_TIMEOUT_MS));
  const status = response.statusCode ?? 0;
  const isMissing = sender.missing.includes(status);
  if (!isMissing && (status < 200 || status >= 300)) throw await sender.refusal(response);
  const answer = await collect(response, sender.name);
  return isMissing ? undefined : answer;
}

async function collect(response: http.IncomingMessage, name: string): Promise<Buffer> {
  const tooLarge = () => agentError('feed-too-large', `The ${name} answers with more than ${JSON_BYTES} bytes.`);
  try {
    return await collectAtMost(response, JSON_BYTES, tooLarge);
  } catch (error) {
    throw error instanceof RolloverError ? error : stopped(name, error);
  }
}

const problemSchema = z.object({ code: z.string(), detail: z.string() });

function problem(where: string, status: number, body: Buffer): Error {
  const parsed = problemSchema.safeParse(jsonOrNothing(body));
  const said = parsed.success ? parsed.data.detail : `status ${status}`;
  if (parsed.success && parsed.data.code.startsWith('support-')) return agentError('support-not-taken', said);
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
