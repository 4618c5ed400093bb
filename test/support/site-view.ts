// What a site is told, as it verifies it: signed metadata from the first root on, and the service's own word.

import { parseDocument, targetPaths, type UpgradeGraph, upgradeGraphSchema } from '../../bundles/index.ts';
import { apiSource } from '../../server/pipeline/api-source.ts';
import { type Director, forgetful, type Repository, refresh, verifyDirector } from '../../signing/index.ts';
import type { TestService } from './service.ts';

export interface SiteView {
  readonly repository: Repository;
  readonly director: Director;
  /** By channel, the versions that are named, the newest first. */
  readonly named: Readonly<Record<string, readonly string[]>>;
}

export async function siteView({ api }: TestService, license: string): Promise<SiteView> {
  const source = apiSource(api, license);
  const anchor = (await api.bytes('/v1/metadata/1.root.json')) as Buffer;
  const repository = await refresh(source, forgetful, anchor, Date.now());
  const keys = await repository.target(targetPaths.director);
  const { director } = await verifyDirector(await source.director(), keys.bytes);
  const named = Object.groupBy(director.installs, ({ channel }) => channel) as Record<string, Director['installs']>;
  const versions = Object.entries(named).map(([channel, all]) => [channel, all.map(({ version }) => version)]);
  return { repository, director, named: Object.fromEntries(versions) };
}

/** The upgrade graph, through all that proves it. */
export async function siteGraph({ repository }: SiteView, product = 'cloud'): Promise<UpgradeGraph> {
  const { bytes } = await repository.target(targetPaths.graph(product));
  return parseDocument(upgradeGraphSchema, bytes, 'upgrade graph');
}
