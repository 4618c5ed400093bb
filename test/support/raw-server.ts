// Serves a repository over HTTP on this machine, as it is at the moment of each request.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RawRepository } from './raw-repository.ts';

export interface RawServer {
  readonly url: string;
  /** Paths, in order. */
  readonly asked: string[];
  /** What is served; may be replaced. */
  files: RawRepository['files'];
}

export async function serveRaw(
  t: { after(work: () => void): void },
  files: RawRepository['files'] = new Map(),
): Promise<RawServer> {
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    served.asked.push(path);
    const bytes = served.files.get(path.slice(1)) ?? served.files.get(decodeURIComponent(path.slice(1)));
    response.writeHead(bytes ? 200 : 404).end(bytes);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const served: RawServer = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: [], files };
  return served;
}
