// A vendor and a service in memory, and a site of theirs: what is signed and said can be changed at will, every request is counted.
// Releases lie ready at the site from the start, so that taking one moves no objects: these stories are about which one is taken.
import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { addReady, releaseFolder } from '../../agent/update/releases.ts';
import { type Site, writeSite } from '../../agent/update/site.ts';
import { takeUpdate } from '../../agent/update/take.ts';
import {
  type Bulletin,
  type BundleSource,
  feedPaths,
  PSK_CIPHERS,
  type ReleaseDocument,
  type Rollout,
  rolloutSchema,
  signBulletin,
  targetPaths,
  type UpgradeGraph,
} from '../../bundles/index.ts';
import {
  base64url,
  type Director,
  entitlementPublicKey,
  generateSigningKey,
  keyIdOf,
  keySetOf,
  type MetadataSource,
  pskOf,
  publicKeyOf,
  refresh,
  sha256Hex,
  signDirector,
  signLicense,
  type Wrap,
} from '../../signing/index.ts';
import { NOW, newRepository, sourceOf, type TestRepository } from './repository.ts';

const SECRET = Buffer.alloc(32, 7);
const HOUR_MS = 3600_000;
export const SITE_ID = `site-${'5'.repeat(16)}`;

export interface Offering {
  readonly releases: readonly ReleaseDocument[];
  /** What the service leaves out of its word to this site. */
  readonly excluded: Set<string>;
  rehearsals: NonNullable<Director['rehearsals']>;
  readonly repository: TestRepository;
  readonly license: string;
  /** Publishes the channel, and the graph where there is one. */
  publish(graph?: UpgradeGraph): Promise<void>;
  /** Another key signs what the service says from now on. */
  rotateKey(): Promise<void>;
  director(nowMs?: number): Promise<string>;
  /** Valid from an hour before `NOW` for a month. */
  bulletin(sequence: number, say?: Partial<Bulletin>, signer?: KeyObject): Promise<string>;
  source(nowMs?: number): MetadataSource & BundleSource;
  site(change?: Partial<Site>): Site;
  /** Makes `directory` the one of a site at which every release lies ready. */
  settle(directory: string, site?: Site): Promise<void>;
}

/** The versions of the channel, oldest first. */
export async function offering(versions: readonly string[], change: Partial<ReleaseDocument> = {}): Promise<Offering> {
  const issuer = generateSigningKey();
  /** Signs what the service says. */
  let key = generateSigningKey();
  const repository = await newRepository();
  const releases = versions.map((version, i) => releaseDocument(version, i + 1, change));
  const publicKey = await entitlementPublicKey(SECRET);
  const dates = (nowMs: number) => ({ issuedAt: at(nowMs - HOUR_MS), expiresAt: at(nowMs + 30 * 24 * HOUR_MS) });
  const license = await signLicense(
    {
      version: 1,
      id: 'lic-1',
      customer: 'Acme',
      product: 'cloud',
      channels: ['stable'],
      limits: { nodes: 100, sites: 1000 },
      features: [],
      issuedAt: at(NOW - HOUR_MS),
      notBefore: at(NOW - HOUR_MS),
      entitlement: { publicKey },
    },
    issuer,
    keyIdOf(publicKeyOf(issuer)),
  );
  let sequence = 0;

  const service: Offering = {
    releases,
    excluded: new Set(),
    rehearsals: [],
    repository,
    license,
    async publish(graph) {
      const documents = releases.flatMap(release => {
        const { version, manifest } = release;
        const provenance = { subject: [{ digest: { sha256: manifest.sha256 } }] };
        return [
          [targetPaths.release('cloud', 'stable', version), release],
          [targetPaths.provenance('cloud', 'stable', version), provenance],
          [targetPaths.sbom('cloud', 'stable', version), {}],
        ] as const;
      });
      const head = releases.map(({ version, counter }) => ({ version, counter }));
      const channel = { format: 1, product: 'cloud', channel: 'stable', releases: head };
      const signed = [...documents, [targetPaths.channel('cloud', 'stable'), channel] as const];
      await repository.publish({
        [targetPaths.issuers]: (await keySetOf(issuer)).toString(),
        [targetPaths.director]: (await keySetOf(key)).toString(),
        ...Object.fromEntries(signed.map(([path, document]) => [path, JSON.stringify(document)])),
        ...(graph ? { [targetPaths.graph('cloud')]: JSON.stringify(graph) } : {}),
      });
    },
    async rotateKey() {
      key = generateSigningKey();
      await service.publish();
    },
    director(nowMs = NOW) {
      const named = releases.filter(({ version }) => !service.excluded.has(version));
      const installs = named.map(({ version, counter, manifest }) => ({
        channel: 'stable',
        version,
        counter,
        manifest,
      }));
      const { rehearsals } = service;
      const about = { version: 1, license: 'lic-1', site: SITE_ID, product: 'cloud', ...dates(nowMs) } as const;
      return signDirector({ ...about, sequence: ++sequence, installs, rehearsals }, key, keyIdOf(publicKeyOf(key)));
    },
    bulletin(number, say = {}, signer = key) {
      const newest = releases.at(-1) as ReleaseDocument;
      const { version, counter } = newest;
      const about = { version: 1, product: 'cloud', channel: 'stable', ...dates(NOW) } as const;
      const content = { newest: { version, counter }, rollouts: [], yanked: [] };
      return signBulletin({ ...about, sequence: number, ...content, ...say }, signer);
    },
    source(nowMs = NOW) {
      const documents = { director: () => service.director(nowMs), license: async () => license };
      // Enough for an export, which opens nothing.
      const object = async (digest: string) => {
        const release = releases.find(({ manifest }) => manifest.sha256 === digest) as ReleaseDocument;
        return Buffer.from(release.version);
      };
      const sealed = { object, wrap: async () => ({}) as Wrap };
      return { ...sourceOf(repository.served), name: 'service', ...documents, ...sealed };
    },
    site(siteChange = {}) {
      return {
        format: 'rollover-site/1',
        site: SITE_ID,
        name: 'north',
        connected: true,
        license,
        licenseId: 'lic-1',
        product: 'cloud',
        channel: 'stable',
        hardware: 'x86_64',
        entitlementSecret: base64url(SECRET),
        feed: { host: '127.0.0.1', port: 1 },
        trustAnchor: Buffer.from(repository.anchor).toString(),
        privateKey: '',
        publicKey: '0'.repeat(64),
        ...siteChange,
      };
    },
    async settle(directory, site = service.site()) {
      await writeSite(directory, site);
      for (const document of releases) {
        const folder = releaseFolder(document);
        await mkdir(join(directory, folder), { recursive: true });
        const counts = { fetchedBytes: 0, reusedBytes: 0, bySource: {} };
        await addReady(directory, { document, directory: folder, source: 's', takenAt: at(NOW), ...counts });
      }
    },
  };
  await service.publish();
  return service;
}

/** Takes what is next with a bulletin that was heard, none, or, without an argument, as from a stick. */
export async function takes(
  service: Offering,
  directory: string,
  choice: Partial<Parameters<typeof takeUpdate>[0]> = {},
): Promise<string> {
  const now = choice.now ?? new Date(NOW);
  const rest = { site: service.site(), source: service.source(now.getTime()), follow: refresh, agentVersion: '1.0.0' };
  const { release } = await takeUpdate({ directory, ...rest, now, ...choice });
  return release.document.version;
}

export function rolloutOf(version: string, change: Partial<Rollout> = {}): Rollout {
  return rolloutSchema.parse({
    format: 1,
    id: `cloud-${version}`,
    product: 'cloud',
    channel: 'stable',
    version,
    state: 'running',
    seed: '5f0c5e0d5ad3fd1d2f6a0c6f9f0f7b11',
    stages: [{ percent: 100, startsAt: at(NOW - HOUR_MS) }],
    windows: [],
    budget: { maxFailures: 1 },
    ...change,
  });
}

export interface ServiceLine {
  readonly site: Site;
  /** Method and path, in order; what a site reports is among them. */
  readonly asked: string[];
  /** How many bulletins were sent whole. */
  sentBulletins: number;
  /** Undefined: there is none. */
  bulletin: string | undefined;
  nowMs: number;
}

/** The service at the end of a keyed connection, as sites reach it. */
export async function serviceLine(t: { after(work: () => void): void }, service: Offering): Promise<ServiceLine> {
  const server = https.createServer(
    {
      minVersion: 'TLSv1.3',
      ciphers: PSK_CIPHERS,
      pskCallback: (_socket: unknown, identity: string) => (identity === 'lic-1' ? pskOf(SECRET) : null),
    } as https.ServerOptions,
    async (request, response) => {
      const path = decodeURIComponent(request.url ?? '');
      line.asked.push(path);
      const send = (body: string | Uint8Array | undefined) => response.writeHead(body ? 200 : 404).end(body);
      if (path === feedPaths.bulletin('cloud', 'stable')) {
        if (line.bulletin === undefined) return void send(undefined);
        const etag = `"${sha256Hex(line.bulletin).slice(0, 32)}"`;
        response.setHeader('etag', etag);
        if (request.headers['if-none-match'] === etag) return void response.writeHead(304).end();
        line.sentBulletins++;
        return void send(line.bulletin);
      }
      if (path === feedPaths.director(SITE_ID)) {
        return void send(JSON.stringify({ document: await service.director(line.nowMs) }));
      }
      if (path === feedPaths.license) return void send(JSON.stringify({ license: service.license }));
      const name = path.split('/').at(-1) as string;
      const { metadata, targets } = service.repository.served;
      send(path.startsWith(feedPaths.target('')) ? targets.get(name) : metadata.get(name));
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const line: ServiceLine = {
    site: service.site({ feed: { host: '127.0.0.1', port } }),
    asked: [],
    sentBulletins: 0,
    bulletin: undefined,
    nowMs: NOW,
  };
  return line;
}

function releaseDocument(version: string, counter: number, change: Partial<ReleaseDocument>): ReleaseDocument {
  return {
    format: 1,
    product: 'cloud',
    version,
    counter,
    createdAt: '2026-01-01T00:00:00Z',
    notes: '',
    manifest: { sha256: sha256Hex(version), length: version.length },
    components: [],
    size: { files: 0, plainBytes: 0, sealedBytes: 0, segments: 0 },
    ...change,
  };
}

function at(ms: number): string {
  return new Date(ms).toISOString();
}
