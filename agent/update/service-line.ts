// The line to the hosted service, over either kind of connection: questions, calls with a body, and what its refusals mean.
import http from 'node:http';
import { z } from 'zod';
import {
  type BundleSource,
  feedPaths,
  MOST_OBJECT_URLS,
  objectUrlsSchema,
  parseDocument,
} from '../../bundles/index.ts';
import { RolloverError } from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import { openBucket } from './bucket.ts';
import { collectAtMost } from './collect.ts';
import { type FeedConnection, transportError } from './feed-connection.ts';
import { CONNECTIONS, type Sender, stopped } from './sender.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** Of what the service is told. */
const ANSWER_TIMEOUT_MS = 120_000;
const JSON_BYTES = 64 * 1024;
/** An address is long: the signature stands in it, and so may a token of a role. */
const OBJECT_URLS_BYTES = MOST_OBJECT_URLS * 5 * 1024;

export interface ServiceLine extends Sender {
  /** The answer, undefined where the service has nothing of the kind. */
  post(path: string, body: unknown, mostBytes?: number): Promise<Buffer | undefined>;
  put(path: string, body: Uint8Array): Promise<Buffer | undefined>;
  readonly bucket: NonNullable<BundleSource['bucket']>;
  close(): void;
}

/** All calls throw `feed-unreachable`, `feed-refused`, `feed-untrusted`, `feed-failed`, `feed-too-large`, `license-refused`. */
export function serviceLine(connection: FeedConnection, connectTimeoutMs = CONNECT_TIMEOUT_MS): ServiceLine {
  const { host, port } = connection;
  const where = `${host}:${port}`;
  const name = `service ${where}`;
  const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  agent.createConnection = () => connection.connect(connectTimeoutMs);
  const send = (options: http.RequestOptions, body?: string | Uint8Array) =>
    new Promise<http.IncomingMessage>((resolve, reject) => {
      const call = http.request({ ...options, agent, host, port });
      call.once('response', resolve);
      call.on('error', cause => reject(transportError(where, cause, call.socket)));
      call.end(body);
    });
  const tell = async (method: 'POST' | 'PUT', path: string, body: string | Uint8Array, mostBytes?: number) => {
    const type = typeof body === 'string' ? 'application/json' : 'application/octet-stream';
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    const response = await send({ path, method, headers: { 'content-type': type }, signal }, body);
    const status = response.statusCode ?? 0;
    const isMissing = line.missing.includes(status);
    if (!isMissing && (status < 200 || status >= 300)) throw await line.refusal(response);
    const answer = await collect(response, name, mostBytes);
    return isMissing ? undefined : answer;
  };
  const line: ServiceLine = {
    name,
    missing: [404],
    ask: (path, headers, signal) => send({ path, headers, signal }),
    broken: cause => stopped(name, cause),
    refusal: async response => problem(where, response.statusCode ?? 0, await collect(response, name)),
    post: (path, body, mostBytes) => tell('POST', path, JSON.stringify(body), mostBytes),
    put: (path, body) => tell('PUT', path, body),
    bucket(digests) {
      const askWhere = async (wanted: readonly string[]) => {
        const answer = await line.post(feedPaths.objectUrls, { digests: wanted }, OBJECT_URLS_BYTES);
        return answer && parseDocument(objectUrlsSchema, answer, 'answer about objects');
      };
      return openBucket(askWhere, digests, host);
    },
    close: () => agent.destroy(),
  };
  return line;
}

async function collect(response: http.IncomingMessage, name: string, mostBytes = JSON_BYTES): Promise<Buffer> {
  const tooLarge = () => agentError('feed-too-large', `The ${name} answers with more than ${mostBytes} bytes.`);
  try {
    return await collectAtMost(response, mostBytes, tooLarge);
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
