// A service with something of everything in it, of two organizations that have products of the same name: what a backup is taken of.
import { createPrivateKey } from 'node:crypto';
import { join } from 'node:path';
import { feedClient } from '../../agent/update/feed-client.ts';
import { newSite, type Site } from '../../agent/update/site.ts';
import { deliverSupportBundle, type LicenseFile, sealSupportBundle } from '../../bundles/index.ts';
import { SCOPES } from '../../server/access/scopes.ts';
import { setUpRoot } from '../../server/ceremony/first-root.ts';
import { type ApiClient, apiClient } from '../../server/pipeline/api-client.ts';
import { publishReleaseFile } from '../../server/pipeline/publish.ts';
import { sha256Hex } from '../../signing/index.ts';
import { writeReleaseTree } from './release-tree.ts';
import type { TestService } from './service.ts';

export const OTHER_VENDOR = 'org-other';

export interface SecondVendor {
  readonly api: ApiClient;
  publish(version: string): Promise<unknown>;
}

export interface TwoVendors {
  readonly other: SecondVendor;
  /** Of the first vendor. */
  readonly file: LicenseFile;
  readonly site: Site;
  readonly rollout: string;
}

/** Fills the service; returns the other vendor, who shares it, and a site of the first one's. */
export async function twoVendors(service: TestService): Promise<TwoVendors> {
  const other = await secondVendor(service);
  await service.publish('1.0.0');
  await other.publish('1.0.0');
  for (const api of [service.api, other.api]) {
    await api.post('/v1/webhooks', { url: 'https://example.com/hook', events: ['*'] });
    await api.post('/v1/invitations', { email: 'invited@example.com', role: 'auditor' });
  }
  const { rollout, file } = await released(service.api);
  await released(other.api);
  const site = await activatedSite(file);
  await sendBundle(service.api, site);
  return { other, file, site, rollout };
}

async function secondVendor(service: TestService): Promise<SecondVendor> {
  const token = `rlv_${'o'.repeat(43)}`;
  const scopes = SCOPES.filter(scope => !scope.startsWith('service:'));
  await service.query(`insert into organizations (id, name, created_at) values ('${OTHER_VENDOR}', 'Other', now())`);
  await service.query(
    `insert into tokens (id, organization, name, hash, scopes, created_at)
     values ('tok-other', '${OTHER_VENDOR}', 'other', '${sha256Hex(token)}', '{${scopes.join()}}', now())`,
  );
  const api = apiClient(service.url, token);
  const keysDirectory = join(service.directory, 'other-keys');
  const one = { root: 1, targets: 1, 'offline-snapshot': 1 };
  await setUpRoot(api, { keysDirectory, keys: one, thresholds: one, nowMs: Date.now() });
  return {
    api,
    async publish(version) {
      const tree = { version, notes: 'other', kernelBytes: 300_000, initrdBytes: 1_000_000, runtime: false };
      const path = await writeReleaseTree(join(service.directory, `other-${version}`), tree);
      const quiet = { onStep: () => undefined, onProgress: () => undefined };
      return publishReleaseFile(api, { path, keysDirectory, nowMs: Date.now(), pipelineVersion: 'test', ...quiet });
    },
  };
}

async function released(api: ApiClient): Promise<{ rollout: string; file: LicenseFile }> {
  const plan = {
    product: 'cloud',
    channel: 'stable',
    version: '1.0.0',
    stages: [{ percent: 100, startsAt: '2026-03-02T10:00:00Z' }],
    budget: { maxFailures: 1 },
  };
  const { id: rollout } = await api.post<{ id: string }>('/v1/rollouts', plan);
  const license = { customer: 'Acme', product: 'cloud', channels: ['stable'], nodes: 10, sites: 5 };
  const { file } = await api.post<{ file: LicenseFile }>('/v1/licenses', license);
  return { rollout, file };
}

/** A site that is bound to the license. */
export async function activatedSite(file: LicenseFile): Promise<Site> {
  const site = newSite(file, { name: 'north', connected: true });
  const feed = feedClient(site);
  try {
    await feed.activate({ site: site.site, name: site.name, publicKey: site.publicKey });
  } finally {
    feed.close();
  }
  return site;
}

/** A support bundle of the site, whose parts are objects that nothing else needs. */
async function sendBundle(api: ApiClient, site: Site): Promise<void> {
  const { reports } = await api.get<{ reports: string }>('/v1/trust/online-keys');
  const said = { site: site.site, at: new Date(), agentVersion: '1' };
  const files = [{ name: 'contents.json', bytes: Buffer.from('{}') }];
  const bundle = await sealSupportBundle(said, files, createPrivateKey(site.privateKey), Buffer.from(reports));
  const feed = feedClient(site);
  try {
    await deliverSupportBundle(bundle, feed.support);
  } finally {
    feed.close();
  }
}
