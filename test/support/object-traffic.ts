// What travels between a publisher or a site and the service, counted byte by byte where it passes. Everything that was sent
// counts, also what a killed process never made use of.
import type { EventEmitter } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { feedPaths, filesystemStore } from '../../bundles/index.ts';

export interface Traffic {
  readonly url: string;
  /** Bytes of objects that were sent. */
  sentBytes: number;
  /** Bytes of uploaded objects that the service has taken. */
  takenBytes: number;
  /** Requests of any kind. */
  requests: number;
  /** Called whenever one of them grows. */
  onChange: () => void;
  /** Resolves when nothing is under way. */
  quiet(): Promise<void>;
  close(): Promise<void>;
}

const OBJECT = feedPaths.object('');

/** Stands before a service and hands on what is asked of it; counts what is uploaded. */
export function uploadTraffic(service: string): Promise<Traffic> {
  const taken = new Set<string>();
  return listen((request, response, { traffic, until }) => {
    const isUpload = request.method === 'PUT' && request.url?.startsWith(OBJECT);
    const { method = 'GET', headers } = request;
    let bytes = 0;
    const onward = http.request(new URL(request.url ?? '/', service), { method, headers }, answer => {
      if (isUpload && answer.statusCode === 204 && !taken.has(request.url ?? '')) {
        taken.add(request.url ?? '');
        traffic.takenBytes += bytes;
      }
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    // A publisher that was killed takes its half-sent request with it.
    request.on('close', () => request.complete || onward.destroy());
    until(onward);
    if (isUpload) {
      request.on('data', part => {
        bytes += part.length;
        count(traffic, part.length);
      });
    }
    request.pipe(onward);
  });
}

/** Serves the objects of a directory as another agent does; counts what is fetched. */
export function downloadTraffic(directory: string): Promise<Traffic> {
  const store = filesystemStore(directory);
  return listen(async (request, response, { traffic }) => {
    const digest = request.url?.slice(OBJECT.length) ?? '';
    const size = await store.size(digest);
    if (size === undefined) return void response.writeHead(404).end();
    response.setHeader('content-length', size);
    const counted = new Transform({
      transform(part, _encoding, done) {
        count(traffic, part.length);
        done(null, part);
      },
    });
    await pipeline(await store.stream(digest), counted, response).catch(() => undefined);
  });
}

function count(traffic: Traffic, bytes: number): void {
  traffic.sentBytes += bytes;
  traffic.onChange();
}

interface Passing {
  readonly traffic: Traffic;
  /** It is not quiet until this has closed. */
  until(stream: EventEmitter): void;
}

type Handler = (request: http.IncomingMessage, response: http.ServerResponse, passing: Passing) => void;

async function listen(handle: Handler): Promise<Traffic> {
  const underWay = new Set<Promise<void>>();
  const until = (stream: EventEmitter) => {
    const closed = new Promise<void>(resolve => stream.once('close', resolve));
    underWay.add(closed);
    closed.then(() => underWay.delete(closed));
  };
  const server = http.createServer((request, response) => {
    until(response);
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    traffic.requests++;
    traffic.onChange();
    handle(request, response, { traffic, until });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const traffic: Traffic = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sentBytes: 0,
    takenBytes: 0,
    requests: 0,
    onChange: () => undefined,
    quiet: async () => void (await Promise.all(underWay)),
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return traffic;
}
