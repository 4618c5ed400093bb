// The hosted service in this process, on its embedded defaults, with a root of trust: for tests of its API and of sites.
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { Logger } from 'pino';
import type { LicenseFile, S3Options } from '../../bundles/index.ts';
import { setUpRoot } from '../../server/ceremony/first-root.ts';
import { startServer } from '../../server/main.ts';
import { type ApiClient, apiClient } from '../../server/pipeline/api-client.ts';
import { type Published, publishReleaseFile } from '../../server/pipeline/publish.ts';
import type { ShutdownOptions } from '../../server/shutdown.ts';
import { freePorts } from './processes.ts';
import { type ReleaseTree, writeReleaseTree } from './release-tree.ts';

export interface TestService {
  readonly directory: string;
  readonly url: string;
  readonly token: string;
  readonly api: ApiClient;
  readonly keysDirectory: string;
  readonly fingerprint: string;
  /** `directory` tells two trees of one version apart; `through` is another client than the service's own. */
  publish(
    version: string,
    change?: Partial<ReleaseTree> & { directory?: string },
    through?: ApiClient,
  ): Promise<Published>;
  /** Publishes what the `release.yaml` at `path` describes, with the keys of the service's vendor. */
  publishFile(path: string, change?: { readonly through?: ApiClient; readonly nowMs?: number }): Promise<Published>;
  issue(change?: object): Promise<{ readonly id: string; readonly file: LicenseFile }>;
  /** Where its database listens. */
  connection(): Promise<{ readonly host: string; readonly user: string; readonly database: string }>;
  /** Runs a statement on the service's database. */
  query(statement: string): Promise<unknown[]>;
  close(): Promise<void>;
}

const SMALL_TREE = { notes: 'notes', kernelBytes: 300_000, initrdBytes: 2_000_000, runtime: false };

/** `mtls` opens the port for certificates, too. Without `reportKey`, the root is set up as before there was one. */
export async function startTestService({
  mtls = false,
  reportKey = true,
  shutdown = {},
  s3,
  log,
}: {
  readonly mtls?: boolean;
  readonly reportKey?: boolean;
  readonly shutdown?: ShutdownOptions;
  /** Keeps its objects in a bucket. */
  readonly s3?: S3Options;
  readonly log?: Logger;
} = {}): Promise<TestService> {
  const directory = await mkdtemp(join(tmpdir(), 'rollover-service-'));
  await chmod(directory, 0o711);
  const [port, feedPort, mtlsPort] = (await freePorts([0, 0, 0])) as [number, number, number];
  const server = await startServer({
    directory: join(directory, 'data'),
    host: '127.0.0.1',
    port,
    feedPort,
    shutdown,
    ...(mtls ? { mtls: { port: mtlsPort } } : {}),
    ...(s3 ? { s3 } : {}),
    ...(log ? { log } : {}),
  });
  const token = (await readFile(server.adminTokenPath, 'utf8')).trim();
  const api = apiClient(server.url, token);
  const keysDirectory = join(directory, 'keys');
  const one = { root: 1, targets: 1, 'offline-snapshot': 1 };
  const { fingerprint } = await setUpRoot(reportKey ? api : beforeReportKey(api), {
    keysDirectory,
    keys: one,
    thresholds: one,
    nowMs: Date.now(),
  });
  const publishFile: TestService['publishFile'] = (path, { through = api, nowMs = Date.now() } = {}) => {
    const quiet = { onStep: () => undefined, onProgress: () => undefined };
    return publishReleaseFile(through, { path, keysDirectory, nowMs, pipelineVersion: 'test', ...quiet });
  };
  const connection = async () => {
    const postmaster = await readFile(join(directory, 'data', 'postgres', 'cluster', 'postmaster.pid'), 'utf8');
    return { host: postmaster.split('\n')[4] ?? '', user: 'rollover', database: 'rollover' };
  };
  return {
    directory,
    url: server.url,
    token,
    api,
    keysDirectory,
    fingerprint,
    async publish(version, { directory: name = 'release', ...change } = {}, through = api) {
      const tree = { ...SMALL_TREE, version, ...change };
      const path = await writeReleaseTree(join(directory, `${name}-${version}-${tree.channel ?? 'stable'}`), tree);
      return publishFile(path, { through });
    },
    publishFile,
    issue: (change = {}) =>
      api.post('/v1/licenses', {
        customer: 'Acme',
        product: 'cloud',
        channels: ['stable'],
        nodes: 100,
        sites: 1,
        ...change,
      }),
    connection,
    async query(statement) {
      const client = new Client(await connection());
      await client.connect();
      try {
        return (await client.query(statement)).rows;
      } finally {
        await client.end();
      }
    },
    async close() {
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** What a command line sees of the service that is older than the report key. */
function beforeReportKey(api: ApiClient): ApiClient {
  return {
    ...api,
    async get<T>(path: string) {
      const answer = await api.get<T>(path);
      return path === '/v1/trust/online-keys' ? { ...answer, reports: undefined } : answer;
    },
  };
}
