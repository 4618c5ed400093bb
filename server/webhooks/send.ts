// One delivery over the network: to the very address that was checked, once, within a time, whatever the receiver does.
import { lookup } from 'node:dns/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { reasonOf } from '../../signing/index.ts';
import { hostOf, mayReach, type Networks } from './networks.ts';

/** From asking for the name to the end of the answer. */
const LIMIT_MS = 10_000;
/** Of an answer, which is read so that the connection ends well, and thrown away. */
const ANSWER_BYTES = 64 * 1024;
const REASON_LENGTH = 200;

export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface SendOptions {
  readonly networks: Networks;
  /** All addresses of a name; the operating system's answer unless given. */
  resolve?(host: string): Promise<readonly string[]>;
  readonly limitMs?: number;
}

/** `status`: what the receiver answered; undefined when it did not. */
export type Outcome =
  | { readonly ok: true; readonly status: number }
  | { readonly ok: false; readonly status: number | undefined; readonly error: string };

/** Posts it. Never throws: what went wrong is the outcome, in words that tell nothing of our own network. */
export async function send(post: Post, options: SendOptions): Promise<Outcome> {
  const limitMs = options.limitMs ?? LIMIT_MS;
  const signal = AbortSignal.timeout(limitMs);
  const url = new URL(post.url);
  try {
    const addresses = await within(signal, addressesOf(url, options));
    if (!addresses) return failed(undefined, 'its name leads to an address that webhooks may not go to');
    return judged(await posted(url, addresses, post, signal));
  } catch (error) {
    if (signal.aborted) return failed(undefined, `no answer within ${limitMs / 1000} s`);
    return failed(undefined, reasonOf(error).slice(0, REASON_LENGTH));
  }
}

/**
 * The addresses to connect to; undefined when one of them may not be reached: a name with a public address and one of ours is
 * somebody's trick.
 */
async function addressesOf(url: URL, { resolve = resolveAll, networks }: SendOptions) {
  const host = hostOf(url);
  const addresses = isIP(host) ? [host] : await resolve(host);
  const all = addresses.length > 0 && addresses.every(address => mayReach(url, address, networks));
  return all ? addresses : undefined;
}

async function resolveAll(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

/** Redirects are not followed: they would lead to an address that nobody has checked. */
function judged(status: number): Outcome {
  if (status >= 200 && status < 300) return { ok: true, status };
  if (status >= 300 && status < 400) return failed(status, `it redirects (status ${status}), which is not followed`);
  return failed(status, `it answered with status ${status}`);
}

/** @returns the status, as soon as the answer has been read, was too long, or took too long */
function posted(url: URL, addresses: readonly string[], { headers, body }: Post, signal: AbortSignal): Promise<number> {
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const options = {
    method: 'POST',
    headers: { ...headers, 'content-length': Buffer.byteLength(body), connection: 'close' },
    agent: false,
    lookup: answering(addresses),
    signal,
  };
  return new Promise((resolve, reject) => {
    let status: number | undefined;
    const end = (error: Error) => (status === undefined ? reject(error) : resolve(status));
    const call = request(url, options, response => {
      const answered = response.statusCode ?? 0;
      status = answered;
      let read = 0;
      response.on('data', (chunk: Buffer) => {
        read += chunk.length;
        if (read > ANSWER_BYTES) response.destroy();
      });
      response.on('error', end);
      response.on('close', () => resolve(answered));
    });
    call.on('error', end);
    call.end(body);
  });
}

/** In the place of DNS when connecting: a second answer may be another one (DNS rebinding). */
function answering(addresses: readonly string[]): LookupFunction {
  const known = addresses.map(address => ({ address, family: isIP(address) }));
  const [first] = known;
  return (_host, { all }, callback) => {
    if (all) callback(null, known);
    else callback(null, first?.address ?? '', first?.family ?? 0);
  };
}

/** DNS cannot be told to stop; its answer is then not waited for. */
function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  return Promise.race([work, late]);
}

function failed(status: number | undefined, error: string): Outcome {
  return { ok: false, status, error };
}
