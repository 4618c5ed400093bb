// Sites that report: activated, with the vendor's report key as their last update has brought it.
import { createPrivateKey } from 'node:crypto';
import { join } from 'node:path';
import type { Said } from '../../agent/report.ts';
import { feedClient } from '../../agent/update/feed-client.ts';
import { readReportKey } from '../../agent/update/report-key.ts';
import { newSite, readSite, type Site, writeSite } from '../../agent/update/site.ts';
import { takeUpdate } from '../../agent/update/take.ts';
import { exportMedia, openMedia } from '../../airgap/index.ts';
import { type LicenseFile, type SiteStatus, sealReport } from '../../bundles/index.ts';
import { apiSource } from '../../server/pipeline/api-source.ts';
import type { RolloutView } from '../../server/rollouts/rollouts.ts';
import { refresh, refreshFromMedium, type SealedMessage } from '../../signing/index.ts';
import type { TestService } from './service.ts';
import { temporary } from './temporary.ts';

export interface ReportingSite {
  readonly directory: string;
  readonly site: Site;
  /** A report of this site, sealed: `change` says more than that all is well. */
  seal(change?: Partial<SiteStatus>): Promise<SealedMessage>;
  /** Sends whatever it is over the site's connection. */
  send(report: SealedMessage | object): Promise<void>;
}

type Cleanup = Parameters<typeof temporary>[0];

/** What a site in good order says. */
export function saidBy({ site }: Site, change: Partial<Said> = {}): Said {
  const at = new Date().toISOString();
  return { site, at, agentVersion: '1', nodes: { active: 3 }, rollover: 'none', health: 'healthy', ...change };
}

/** Activates a site over the network and lets it take an update. */
export async function connectedSite(t: Cleanup, file: LicenseFile): Promise<ReportingSite> {
  const directory = await temporary(t);
  const site = newSite(file, { name: 'north', connected: true });
  await writeSite(directory, site);
  const feed = feedClient(site);
  try {
    await feed.activate({ site: site.site, name: site.name, publicKey: site.publicKey });
    await takeUpdate({ directory, site, source: feed, follow: refresh, agentVersion: '1.0.0', now: new Date() });
  } finally {
    feed.close();
  }
  return reporting(directory);
}

/** A site that the service never hears of, with what a stick has brought. */
export async function cutOffSite(t: Cleanup, service: TestService, license: License): Promise<ReportingSite> {
  const { api } = service;
  const directory = await temporary(t);
  const site = newSite(license.file, { name: 'south', connected: false });
  await writeSite(directory, site);
  const stick = join(directory, 'stick');
  type Segments = { segments: { name: string; size: number }[] };
  await exportMedia({
    directory: stick,
    product: 'cloud',
    channel: 'stable',
    license: license.id,
    source: apiSource(api, license.id),
    firstRoot: (await api.bytes('/v1/metadata/1.root.json')) as Uint8Array,
    segmentsOf: async manifest => (await api.get<Segments>(`/v1/manifests/${manifest}/segments`)).segments,
    now: new Date(),
  });
  const { source } = await openMedia(stick);
  await takeUpdate({ directory, site, source, follow: refreshFromMedium, agentVersion: '1.0.0', now: new Date() });
  return reporting(directory);
}

/** A rollout to all sites, gone when the test ends; answers what has become of it. */
export async function newRollout({ api }: TestService, t: Cleanup, version: string, maxFailures: number) {
  const stages = [{ percent: 100, startsAt: '2026-03-02T10:00:00Z' }];
  const order = { product: 'cloud', channel: 'stable', version, stages, budget: { maxFailures } };
  const { id } = await api.post<RolloutView>('/v1/rollouts', order);
  t.after(() => api.remove(`/v1/rollouts/${id}`));
  return () => api.get<RolloutView>(`/v1/rollouts/${id}`);
}

interface License {
  readonly id: string;
  readonly file: LicenseFile;
}

async function reporting(directory: string): Promise<ReportingSite> {
  const site = await readSite(directory);
  let sequence = 0;
  return {
    directory,
    site,
    async seal(change = {}) {
      const keySet = await readReportKey(directory);
      if (!keySet) throw new Error('this site has no report key');
      const status: SiteStatus = { ...saidBy(site), sequence: ++sequence, via: 'connection', ...change };
      return sealReport(status, createPrivateKey(site.privateKey), keySet);
    },
    async send(report) {
      const feed = feedClient(site);
      try {
        await feed.report(report as SealedMessage);
      } finally {
        feed.close();
      }
    },
  };
}
