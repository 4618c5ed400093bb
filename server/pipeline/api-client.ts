// The vendor API as the command line uses it. Problems come back as the errors they were, with their codes and hints.
import { BUNDLE_ERRORS, type Problem } from '../../bundles/index.ts';
import { type ErrorTable, RolloverError, SIGNING_ERRORS } from '../../signing/index.ts';
import { SERVER_ERRORS, serverError } from '../errors.ts';

const TIMEOUT_MS = 120_000;
const KNOWN: ErrorTable = { ...SIGNING_ERRORS, ...BUNDLE_ERRORS, ...SERVER_ERRORS };

export interface ApiClient {
  readonly url: string;
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
  /** Raw bytes, or undefined where there is nothing under that name. */
  bytes(path: string): Promise<Buffer | undefined>;
  exists(path: string): Promise<boolean>;
  put(path: string, bytes: Uint8Array): Promise<void>;
}

/**
 * A client of the service at `url`.
 *
 * All calls throw `service-unreachable`, `service-failed`, or the error that the service answered with.
 */
export function apiClient(url: string, token: string): ApiClient {
  const call = async (
    method: string,
    path: string,
    body?: string | Uint8Array<ArrayBuffer>,
    type?: string,
  ): Promise<Response> => {
    const headers = { authorization: `Bearer ${token}`, ...(type ? { 'content-type': type } : {}) };
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const request = { method, headers, signal, ...(body === undefined ? {} : { body }) };
    return fetch(new URL(path, url), request).catch(cause => {
      throw serverError('service-unreachable', `The service at ${url} does not answer.`, { cause });
    });
  };
  return {
    url,
    get: async path => json(await succeeded(await call('GET', path))),
    post: async (path, body) =>
      json(await succeeded(await call('POST', path, JSON.stringify(body), 'application/json'))),
    async bytes(path) {
      const response = await call('GET', path);
      if (response.status === 404) return undefined;
      return Buffer.from(await (await succeeded(response)).arrayBuffer());
    },
    async exists(path) {
      const response = await call('HEAD', path);
      return response.status !== 404 && (await succeeded(response)).ok;
    },
    async put(path, bytes) {
      await succeeded(await call('PUT', path, new Uint8Array(bytes), 'application/octet-stream'));
    },
  };
}

async function succeeded(response: Response): Promise<Response> {
  if (response.ok) return response;
  const problem = (await response.json().catch(() => undefined)) as Problem | undefined;
  const entry = problem && KNOWN[problem.code];
  if (problem && entry) throw new RolloverError(problem.code, entry, problem.detail);
  const where = problem?.requestId ? ` (request ${problem.requestId})` : '';
  throw serverError('service-failed', `The service answered ${response.status}${where}.`);
}

async function json<T>(response: Response): Promise<T> {
  return (response.status === 204 ? undefined : await response.json()) as T;
}
