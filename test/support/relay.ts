// A relay of a test service's license, and sites behind it.
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { makePass, type RelayPass } from '../../agent/relay/pass.ts';
import { relayServer } from '../../agent/relay/serve.ts';
import { type RelaySynced, type RelaySyncOptions, syncRelay } from '../../agent/relay/sync.ts';
import { feedClient } from '../../agent/update/feed-client.ts';
import { relaySource } from '../../agent/update/relay-source.ts';
import { newSite, type Site } from '../../agent/update/site.ts';
import { takeUpdate } from '../../agent/update/take.ts';
import { type DroppedSource, FragmentStore, type LicenseFile } from '../../bundles/index.ts';
import { refresh } from '../../signing/index.ts';
import { freePorts } from './processes.ts';
import type { TestService } from './service.ts';
import { temporary } from './temporary.ts';

export interface TestRelay {
  readonly directory: string;
  readonly pass: RelayPass;
  sync(change?: Partial<RelaySyncOptions>): Promise<RelaySynced>;
  /** Listens from now on. */
  listen(): Promise<string>;
}

export async function testRelay(t: TestContext, file: LicenseFile): Promise<TestRelay> {
  const directory = join(await temporary(t), 'relay');
  const pass = makePass(file);
  return {
    directory,
    pass,
    sync: (change = {}) => syncRelay({ directory, pass, now: new Date(), ...change }),
    async listen() {
      const server = relayServer(directory).listen(0, '127.0.0.1');
      await new Promise(resolve => server.once('listening', resolve));
      t.after(() => {
        server.closeAllConnections();
        server.close();
      });
      return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    },
  };
}

/** A license, its file, and a site that was activated while the service was there. */
export async function activatedSite(service: TestService, change: object = {}) {
  const { id, file } = await service.issue(change);
  const site = newSite(file, { name: 'test', connected: true });
  const feed = feedClient(site);
  await feed.activate({ site: site.site, name: site.name, publicKey: site.publicKey });
  feed.close();
  return { id, file, site };
}

/** The same site, for which the service is gone. */
export async function withoutService(site: Site): Promise<Site> {
  const [port] = (await freePorts([0])) as [number];
  return { ...site, feed: { host: '127.0.0.1', port } };
}

/** A site takes an update, with these relays. */
export async function takeThrough(
  t: TestContext,
  site: Site,
  urls: readonly string[],
  directory?: string,
  now = new Date(),
) {
  const own = directory ?? (await temporary(t));
  const fragments = new FragmentStore(join(own, 'fragments'));
  const source = feedClient(site, { fragments });
  const relays = urls.map(url => relaySource(url, { fragments }));
  const dropped: DroppedSource[] = [];
  const onDropped = (given: DroppedSource) => dropped.push(given);
  const options = { directory: own, site, source, relays, follow: refresh, fragments, agentVersion: '1.0.0' };
  try {
    return { ...(await takeUpdate({ ...options, now, onDropped })), dropped, directory: own };
  } finally {
    for (const { close } of [source, ...relays]) close();
  }
}
