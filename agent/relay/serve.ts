// Serves what a relay holds, under the feed's paths, to whoever can reach it: reading only, whole or in parts. It believes nothing and
// decides nothing; whoever asks verifies. What is sealed stays sealed, and what is not was signed to be shown.
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type BlobStore, feedPaths, filesystemStore, serve } from '../../bundles/index.ts';
import { hasCode } from '../../signing/index.ts';
import { type Catalog, readCatalog, relayPaths } from './catalog.ts';

/** Where `rollover relay` says what it holds. */
export const RELAY_STATUS = '/v1/relay';

/** Sites use six each. */
const MOST_CONNECTIONS = 2000;
/** A connection on which nothing moves. */
const SILENCE_TIMEOUT_MS = 60_000;
const FOR_EVER = 'public, max-age=31536000, immutable';

const BY_DIGEST = new RegExp(`^(?:${feedPaths.object('')}|${feedPaths.target('')})([0-9a-f]{64})$`);

/** A server that does not listen yet. What a sync of this or another process brings is served from then on. */
export function relayServer(directory: string): Server {
  const store = filesystemStore(relayPaths.objects(directory));
  const catalog = newestCatalog(directory);
  const limits = { headersTimeout: 15_000, requestTimeout: 30_000, maxHeaderSize: 8192 };
  const server = createServer(limits, (request, response) => {
    response.on('error', () => response.destroy());
    answer(store, catalog, request, response).catch(error => {
      if (response.headersSent) return void response.destroy();
      refuse(response, hasCode(error, 'object-missing') ? 404 : 500);
    });
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.timeout = SILENCE_TIMEOUT_MS;
  return server;
}

async function answer(
  store: BlobStore,
  catalog: () => Promise<Catalog | undefined>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return refuse(response, 405);
  }
  const [path = ''] = (request.url ?? '').split('?');
  const send = async (sha256: string, size: number, type: string, cache: string) => {
    const etag = `"${sha256}"`;
    response.setHeader('cache-control', cache);
    if (request.headers['if-none-match'] === etag) return void response.writeHead(304, { etag }).end();
    response.setHeader('content-type', type);
    await serve({ size, etag, stream: part => store.stream(sha256, part) }, request, response);
  };
  const [, digest] = BY_DIGEST.exec(path) ?? [];
  if (digest !== undefined) {
    const size = await store.size(digest);
    return size === undefined ? refuse(response, 404) : send(digest, size, 'application/octet-stream', FOR_EVER);
  }
  const held = await catalog();
  if (path === RELAY_STATUS && held) return status(response, held);
  const small = held && Object.hasOwn(held.answers, path) ? held.answers[path] : undefined;
  if (!small) return refuse(response, 404);
  const type = path.startsWith(feedPaths.bulletin('', '').slice(0, -1)) ? 'application/jose' : 'application/json';
  return send(small.sha256, small.size, type, 'no-cache');
}

function status(response: ServerResponse, { product, channels, syncedAt, validUntil, releases }: Catalog): void {
  const shown = releases.map(({ channel, version, bytes }) => ({ channel, version, bytes }));
  response.setHeader('cache-control', 'no-cache');
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ product, channels, syncedAt, validUntil, releases: shown }));
}

function refuse(response: ServerResponse, code: number): void {
  response.removeHeader('cache-control');
  response.writeHead(code, { 'content-length': 0 }).end();
}

/** The catalog as it is on the disk, read again when it was replaced. */
function newestCatalog(directory: string): () => Promise<Catalog | undefined> {
  let read: { readonly mark: string; readonly catalog: Promise<Catalog | undefined> } | undefined;
  return async () => {
    const stats = await stat(relayPaths.catalog(directory)).catch(() => undefined);
    const mark = stats ? `${stats.ino} ${stats.mtimeMs} ${stats.size}` : 'none';
    if (read?.mark !== mark) read = { mark, catalog: readCatalog(directory) };
    return read.catalog;
  };
}
