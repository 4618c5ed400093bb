// A web server on this machine that serves files as it should, or fails in one of the ways in which lines break and mirrors lie.
// What it does is decided for each request. It counts every byte of a body that it sends.
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { sha256Hex } from '../../signing/index.ts';

export type Fault =
  | { readonly kind: 'honest' }
  /** The connection ends after so many bytes of the body. */
  | { readonly kind: 'cut'; readonly after: number }
  /** It ends before there is an answer. */
  | { readonly kind: 'reset' }
  | { readonly kind: 'silent' }
  /** Headers, and a byte now and then. */
  | { readonly kind: 'drip'; readonly everyMs: number }
  /** So many bytes at once, and then a byte now and then. */
  | { readonly kind: 'fast-then-drip'; readonly fast: number; readonly everyMs: number }
  /** So many bytes now and then. */
  | { readonly kind: 'throttle'; readonly bytes: number; readonly everyMs: number }
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'ignores-range' }
  | { readonly kind: 'ignores-range-and-cuts'; readonly after: number }
  /** Status 206 and a part that begins elsewhere, and says so. */
  | { readonly kind: 'other-range' }
  /** Says 206 without a word on what it is a part of. */
  | { readonly kind: 'no-content-range' }
  /** Other bytes, under another ETag, than it had at the last request. */
  | { readonly kind: 'changed' }
  | { readonly kind: 'damaged' }
  /** Wrong bytes, and then a cut. */
  | { readonly kind: 'damaged-and-cut'; readonly after: number }
  | { readonly kind: 'shorter' }
  | { readonly kind: 'longer' }
  | { readonly kind: 'endless' }
  /** A gigabyte of zeros, compressed, under the name of the file. */
  | { readonly kind: 'bomb' }
  | { readonly kind: 'redirect'; readonly to: string };

export interface Asked {
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  /** Place of the first byte that is asked for. */
  readonly from: number;
}

export interface FaultyServer {
  readonly url: string;
  /** By path without the slash before it. */
  readonly files: Map<string, Uint8Array>;
  readonly asked: Asked[];
  /** Bytes of bodies that were sent. */
  sentBytes: number;
  fault: (asked: Asked) => Fault;
}

export const HONEST: Fault = { kind: 'honest' };

const BOMB = gzipSync(Buffer.alloc(64 * 1024 * 1024));

export async function faultyServer(
  t: { after(work: () => void): void },
  files: ReadonlyMap<string, Uint8Array> = new Map(),
  fault: FaultyServer['fault'] = () => HONEST,
): Promise<FaultyServer> {
  const server = http.createServer((request, response) => {
    response.on('error', () => undefined);
    const path = decodeURIComponent((request.url ?? '').slice(1));
    const asked = { path, headers: request.headers, from: firstByte(request) };
    running.asked.push(asked);
    const bytes = running.files.get(path);
    answer(running, running.fault(asked), bytes && Buffer.from(bytes), asked, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const running: FaultyServer = { url, files: new Map(files), asked: [], sentBytes: 0, fault };
  return running;
}

function firstByte({ headers }: IncomingMessage): number {
  return Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
}

function answer(
  server: FaultyServer,
  fault: Fault,
  file: Buffer | undefined,
  asked: Asked,
  response: ServerResponse,
): void {
  const socket = response.socket;
  const send = (bytes: Buffer, then: () => void = () => response.end()) => {
    server.sentBytes += bytes.length;
    if (bytes.length === 0) then();
    else response.write(bytes, then);
  };
  const cut = () => void socket?.destroySoon();
  /** A proper answer to what was asked for, with this content, up to the first byte of the body. */
  const begin = (bytes: Buffer, mayGoOn = true): Buffer => {
    const etag = `"${sha256Hex(bytes).slice(0, 16)}"`;
    response.setHeader('etag', etag);
    const condition = asked.headers['if-range'];
    const isPart = mayGoOn && asked.from > 0 && (condition === undefined || condition === etag);
    if (isPart && asked.from >= bytes.length) {
      response.writeHead(416, { 'content-range': `bytes */${bytes.length}` });
      return Buffer.alloc(0);
    }
    const body = isPart ? bytes.subarray(asked.from) : bytes;
    response.setHeader('content-length', body.length);
    if (isPart) response.writeHead(206, { 'content-range': `bytes ${asked.from}-${bytes.length - 1}/${bytes.length}` });
    return body;
  };
  const everyMs = (ms: number, body: Buffer, bytes: number) => {
    response.flushHeaders();
    let at = 0;
    const timer = setInterval(() => {
      if (at >= body.length) return void response.end();
      send(body.subarray(at, at + bytes), () => undefined);
      at += bytes;
    }, ms);
    response.once('close', () => clearInterval(timer));
  };

  switch (fault.kind) {
    case 'reset':
      return void socket?.destroy();
    case 'silent':
      return;
    case 'status':
      return void response.writeHead(fault.status).end('no');
    case 'redirect':
      return void response.writeHead(302, { location: fault.to }).end();
    case 'bomb':
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': BOMB.length });
      return send(BOMB);
    case 'endless': {
      const more = () => {
        if (!response.destroyed) send(Buffer.alloc(64 * 1024, 'x'), () => setImmediate(more));
      };
      return more();
    }
  }
  if (!file) return void response.writeHead(404).end();
  const middle = Buffer.from(file).fill(0x5a, file.length >> 1);
  switch (fault.kind) {
    case 'honest':
      return send(begin(file));
    case 'cut':
      return send(begin(file).subarray(0, fault.after), cut);
    case 'drip':
      return everyMs(fault.everyMs, begin(file), 1);
    case 'fast-then-drip': {
      const body = begin(file);
      send(body.subarray(0, fault.fast), () => undefined);
      return everyMs(fault.everyMs, body.subarray(fault.fast), 1);
    }
    case 'throttle':
      return everyMs(fault.everyMs, begin(file), fault.bytes);
    case 'ignores-range':
      return send(begin(file, false));
    case 'ignores-range-and-cuts':
      return send(begin(file, false).subarray(0, fault.after), cut);
    case 'other-range': {
      if (asked.from === 0) return send(begin(file).subarray(0, file.length >> 1), cut);
      const range = `bytes ${asked.from - 1}-${file.length - 1}/${file.length}`;
      response.writeHead(206, { 'content-range': range });
      return send(file.subarray(asked.from - 1));
    }
    case 'no-content-range':
      if (asked.from === 0) return send(begin(file).subarray(0, file.length >> 1), cut);
      response.writeHead(206);
      return send(file.subarray(asked.from));
    case 'changed': {
      const other = Buffer.from(file).fill(server.asked.length % 251);
      return send(begin(other).subarray(0, Math.max(1, file.length >> 1)), cut);
    }
    case 'damaged':
      return send(begin(middle));
    case 'damaged-and-cut':
      return send(begin(Buffer.from(file).fill(0x5a)).subarray(0, fault.after), cut);
    case 'shorter':
      return send(begin(file.subarray(0, file.length >> 1)));
    case 'longer':
      response.writeHead(200);
      return send(Buffer.concat([file, Buffer.alloc(1000, 'x')]));
  }
}
