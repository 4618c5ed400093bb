// The vendor API as the command line uses it. Problems come back as the errors they were, with their codes and hints.
import { BUNDLE_ERRORS, type Problem } from '../../bundles/index.ts';
import { type ErrorTable, RolloverError, reasonOf, SIGNING_ERRORS } from '../../signing/index.ts';
import { SERVER_ERRORS, serverError } from '../errors.ts';
import type { Page } from '../http/paging.ts';

/** For a question and its answer. */
const CALL_TIMEOUT_MS = 30_000;
/** For objects, and for work that grows with what is stored: a segment of 1 MiB at 64 kB/s takes 17 s. */
const LONG_TIMEOUT_MS = 240_000;
/** The most that a page has. */
const PAGE_ITEMS = 200;
/** A list that is longer does not end: two million items. */
const MOST_PAGES = 10_000;
const KNOWN: ErrorTable = { ...SIGNING_ERRORS, ...BUNDLE_ERRORS, ...SERVER_ERRORS };

export interface ApiClient {
  readonly url: string;
  get<T>(path: string): Promise<T>;
  /** All items of a list, page by page; the first `most` of them, when given. @throws `service-failed` for a list without an end */
  all<T>(path: string, most?: number): Promise<readonly T[]>;
  post<T>(path: string, body: unknown): Promise<T>;
  /** @param seen the revision that the caller has seen; anybody's later change is refused then */
  patch<T>(path: string, body: unknown, seen?: number): Promise<T>;
  /** As `post`, for work that may take minutes. */
  work<T>(path: string, body: unknown): Promise<T>;
  /** Raw bytes, or undefined where there is nothing under that name. */
  bytes(path: string): Promise<Buffer | undefined>;
  exists(path: string): Promise<boolean>;
  put(path: string, bytes: Uint8Array): Promise<void>;
  remove(path: string): Promise<void>;
}

/**
 * A client of the service at `url`.
 *
 * All calls throw `service-unreachable`, `service-failed`, or the error that the service answered with.
 */
export function apiClient(url: string, token: string): ApiClient {
  /** Sends a request and reads the answer with `read`, all of it within the time. */
  const call = async <T>(
    { method, path, body, type, seen, timeoutMs = CALL_TIMEOUT_MS }: Call,
    read: (response: Response) => Promise<T>,
  ): Promise<T> => {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(type ? { 'content-type': type } : {}),
      ...(seen === undefined ? {} : { 'if-match': `"${seen}"` }),
    };
    const signal = AbortSignal.timeout(timeoutMs);
    const request = { method, headers, signal, ...(body === undefined ? {} : { body }) };
    try {
      return await read(await fetch(new URL(path, url), request));
    } catch (cause) {
      if (cause instanceof RolloverError) throw cause;
      if (cause instanceof SyntaxError)
        throw serverError('service-failed', `${url} answers, but is no service of ours.`);
      const slow = signal.aborted && `has not answered within ${timeoutMs / 1000} s`;
      throw serverError(
        'service-unreachable',
        `The service at ${url} ${slow || `does not answer: ${reasonOf(cause)}`}.`,
        {
          cause,
        },
      );
    }
  };
  const json = async <T>(request: Call) => call(request, async response => content<T>(await succeeded(response)));
  const post = { method: 'POST', type: 'application/json' };
  const get = <T>(path: string) => json<T>({ method: 'GET', path });
  return {
    url,
    get,
    async all<T>(path: string, most = Number.POSITIVE_INFINITY) {
      const items: T[] = [];
      const pages = new URL(path, url);
      for (let count = 0; count < MOST_PAGES; count++) {
        pages.searchParams.set('limit', `${Math.min(PAGE_ITEMS, most - items.length)}`);
        const page = await get<Page<T>>(`${pages.pathname}${pages.search}`);
        items.push(...page.items);
        if (page.next === null || items.length >= most) return items.slice(0, most);
        pages.searchParams.set('cursor', page.next);
      }
      throw serverError('service-failed', `The list ${path} of ${url} has no end.`);
    },
    post: (path, body) => json({ ...post, path, body: JSON.stringify(body) }),
    patch: (path, body, seen) => json({ ...post, method: 'PATCH', path, body: JSON.stringify(body), seen }),
    work: (path, body) => json({ ...post, path, body: JSON.stringify(body), timeoutMs: LONG_TIMEOUT_MS }),
    bytes: path =>
      call({ method: 'GET', path, timeoutMs: LONG_TIMEOUT_MS }, async response =>
        response.status === 404 ? undefined : Buffer.from(await (await succeeded(response)).arrayBuffer()),
      ),
    exists: path =>
      call({ method: 'HEAD', path }, async response => response.status !== 404 && (await succeeded(response)).ok),
    remove: path => json({ method: 'DELETE', path }),
    async put(path, bytes) {
      const body = new Uint8Array(bytes);
      await call(
        { method: 'PUT', path, body, type: 'application/octet-stream', timeoutMs: LONG_TIMEOUT_MS },
        succeeded,
      );
    },
  };
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly type?: string;
  readonly seen?: number | undefined;
  readonly timeoutMs?: number;
}

async function succeeded(response: Response): Promise<Response> {
  if (response.ok) return response;
  const problem = (await response.json().catch(() => undefined)) as Problem | undefined;
  const entry = problem && KNOWN[problem.code];
  if (problem && entry) throw new RolloverError(problem.code, entry, problem.detail);
  const where = problem?.requestId ? ` (request ${problem.requestId})` : '';
  throw serverError('service-failed', `The service answered ${response.status}${where}.`);
}

async function content<T>(response: Response): Promise<T> {
  return (response.status === 204 ? undefined : await response.json()) as T;
}
