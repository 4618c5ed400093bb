// A site behind an air gap that runs 5.1.0 and has 5.2.0 ready: what most end-to-end tests start from. The vendor's side
// runs in this process and is gone when the site is made; everything else are processes of the product.
import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { consoleClient } from './console-client.ts';
import { freePorts, type Processes, processes, type Running } from './processes.ts';
import { startTestService } from './service.ts';

/** How many times faster than by default the simulated cluster goes. */
const SPEED = 10;

export interface OfflineSite {
  readonly product: Processes;
  /** Below the product's directory: a site that has adopted 5.1.0 and imported 5.2.0. */
  readonly template: string;
  readonly stick: string;
  readonly licenseFile: string;
}

/** Makes the template and keeps the newest stick beside it. The caller disposes of `product`. */
export async function offlineSite(): Promise<OfflineSite> {
  const service = await startTestService();
  const product = await processes({ ROLLOVER_TOKEN: service.token, ROLLOVER_SERVER: service.url });
  const path = (name: string) => join(product.directory, name);
  try {
    const { id, file } = await service.issue();
    await writeFile(path('license.json'), JSON.stringify(file));
    await service.publish('5.1.0');
    await product.json(['media', 'export', 'stick-1', '--license', id]);
    await service.publish('5.2.0');
    await product.json(['media', 'export', 'stick-2', '--license', id]);
  } finally {
    await service.close();
  }
  await product.json(['agent', 'activate', 'license.json', '--data', 'template', '--offline']);
  await product.json(['media', 'import', 'stick-1', '--data', 'template']);
  const site = await startSite(product, 'template');
  await site.console.until(state => state.installed?.version === '5.1.0', '5.1.0 to be adopted');
  await site.stop();
  await product.json(['media', 'import', 'stick-2', '--data', 'template']);
  return { product, template: path('template'), stick: path('stick-2'), licenseFile: path('license.json') };
}

export interface RunningSite {
  readonly cluster: Running;
  readonly clusterUrl: string;
  agent: Running;
  readonly console: ReturnType<typeof consoleClient>;
  readonly consoleUrl: string;
  /** Starts the agent again on the same data, after it was stopped or killed. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface SiteChoice {
  readonly speed?: number;
  readonly checkEverySeconds?: number;
}

/** Starts an agent on `data` and a simulated cluster of its own. */
export async function startSite(product: Processes, data: string, choice: SiteChoice = {}): Promise<RunningSite> {
  const { speed = SPEED, checkEverySeconds = 60 } = choice;
  const [console, boot, port] = (await freePorts([0, 0, 0])) as [number, number, number];
  const bootUrl = `http://127.0.0.1:${boot}`;
  const cluster = await product.start(['simulate', '--port', `${port}`, '--boot', bootUrl, '--speed', `${speed}`]);
  const clusterUrl = cluster.ready['url'] as string;
  const ports = ['--console-port', `${console}`, '--boot-port', `${boot}`];
  const more = ['--cluster', clusterUrl, '--check-every', `${checkEverySeconds}`];
  const start = () => product.start(['agent', '--data', data, ...ports, ...more]);
  const agent = await start();
  const consoleUrl = agent.ready['consoleUrl'] as string;
  const site: RunningSite = {
    cluster,
    clusterUrl,
    agent,
    consoleUrl,
    console: consoleClient(consoleUrl),
    async restart() {
      site.agent = await start();
    },
    async stop() {
      await site.agent.stop();
      await cluster.stop();
    },
  };
  return site;
}

/** A copy of the template, for one run. */
export async function copyOf({ product, template }: OfflineSite, name: string): Promise<string> {
  const directory = join(product.directory, name);
  await rm(directory, { recursive: true, force: true });
  await cp(template, directory, { recursive: true });
  return directory;
}
