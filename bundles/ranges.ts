// Parts of something over HTTP (RFC 9110, section 14): which part is asked for, which part is sent, and sending it. Used by who
// serves objects and by who fetches them.
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { ByteRange } from './store/store.ts';

/** What an answer says that it sends. */
export interface SentRange {
  readonly start: number;
  /** Not included; unknown for a whole without a length. */
  readonly end: number | undefined;
  /** Length of the whole, where it is known. */
  readonly total: number | undefined;
}

/** Which part of the whole an answer of status 200 or 206 carries; undefined when it does not say so properly. */
export function sentRange(status: number, headers: IncomingHttpHeaders): SentRange | undefined {
  const length = headers['content-length'];
  const size = length === undefined ? undefined : Number(length);
  if (status === 200) return { start: 0, end: size, total: size };
  const [, first, last, of] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(headers['content-range'] ?? '') ?? [];
  const [start, end] = [Number(first), Number(last) + 1];
  const total = of === '*' ? undefined : Number(of);
  const isSound = start < end && end <= (total ?? end) && (size ?? end - start) === end - start;
  return isSound ? { start, end, total } : undefined;
}

/** Which part to send: all of it, also where the Range is one that may be passed over; `none` when there is no such part. */
export function askedRange(headers: IncomingHttpHeaders, size: number, etag: string): ByteRange | 'all' | 'none' {
  const { range, 'if-range': condition } = headers;
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range ?? '') ?? [];
  if (first === '' && last === '') return 'all';
  if (condition !== undefined && condition !== etag) return 'all';
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(Number(last) + 1, size);
  if (first !== '' && last !== '' && Number(last) < start) return 'all';
  return start < end ? { start, end } : 'none';
}

/** Bytes that are others when their ETag is another. */
export interface Servable {
  readonly size: number;
  /** Strong, with its quotes. */
  readonly etag: string;
  stream(part?: ByteRange): Promise<NodeJS.ReadableStream>;
}

/** Sends it, or the part of it that is asked for. */
export async function serve(
  { size, etag, stream }: Servable,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.setHeader('etag', etag);
  response.setHeader('accept-ranges', 'bytes');
  const range = askedRange(request.headers, size, etag);
  if (range === 'none') {
    response.setHeader('content-range', `bytes */${size}`);
    response.statusCode = 416;
    return void response.end();
  }
  const { start, end } = range === 'all' ? { start: 0, end: size } : range;
  if (range !== 'all') {
    response.statusCode = 206;
    response.setHeader('content-range', `bytes ${start}-${end - 1}/${size}`);
  }
  response.setHeader('content-length', end - start);
  if (request.method === 'HEAD') return void response.end();
  await pipeline(await stream(range === 'all' ? undefined : range), response).catch(() => response.destroy());
}
