// Tells the service what runs here. Losing a report loses nothing: the next one says the same.
import type { SiteReport } from '../bundles/index.ts';
import type { ConsoleState } from './api/state.ts';
import { feedClient } from './update/feed-client.ts';
import type { Site } from './update/site.ts';

/** Sends a report, for a connected site. @throws what the feed client throws */
export async function sendReport(site: Site, report: SiteReport): Promise<void> {
  if (!site.connected) return;
  const feed = feedClient(site);
  try {
    await feed.report(report);
  } finally {
    feed.close();
  }
}

/** What the service is told, out of what the console shows. */
export function siteReport(state: ConsoleState, agentVersion: string, now: Date): SiteReport {
  const { site, installed, offer, cluster, rollover } = state;
  const states = Map.groupBy(cluster?.nodes ?? [], node => node.state);
  return {
    site: site.id,
    at: now.toISOString(),
    agentVersion,
    ...(installed ? { installed: installed.version } : {}),
    ...(offer ? { available: offer.version } : {}),
    nodes: Object.fromEntries([...states].map(([state, nodes]) => [state, nodes.length])),
    rollover: rollover?.status ?? 'none',
  };
}
