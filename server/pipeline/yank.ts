// Yanks and their undoing: at once on the service, and then in the upgrade graph, where the keys for it are at hand.
import { hasCode } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import { graphOfAll, graphWith } from '../graph/edits.ts';
import type { ReleaseView } from '../releases/releases.ts';
import type { YankReasons } from '../releases/yanks.ts';
import type { ApiClient } from './api-client.ts';
import { type GraphChange, publishGraph } from './graph.ts';
import { KEYS_ELSEWHERE } from './offline-snapshot.ts';

export interface YankOptions {
  readonly product: string;
  readonly version: string;
  /** Without it, every channel that has the version. */
  readonly channel?: string;
  readonly keysDirectory: string;
  readonly nowMs: number;
}

export interface Yanked {
  readonly product: string;
  readonly version: string;
  readonly channels: readonly string[];
  /** `unsigned`: the keys of targets are not here; sites are not told by the graph yet. */
  readonly graph: 'signed' | 'unchanged' | 'unsigned';
  readonly warnings: readonly string[];
}

/** Withdraws a version. Again, with the keys, it signs the graph. @throws `not-found`, and what publishing a graph throws */
export async function yankVersion(api: ApiClient, options: YankOptions, reasons: YankReasons): Promise<Yanked> {
  const releases = await publishedIn(api, options);
  for (const { id } of releases) await api.post(`/v1/releases/${id}/yank`, reasons);
  return signed(api, options, releases, (graph, all) =>
    graph ? graphWith(graph, all, []) : graphOfAll(options.product, all),
  );
}

/** Takes a yank back. @throws `not-found`, and what publishing a graph throws */
export async function unyankVersion(api: ApiClient, options: YankOptions): Promise<Yanked> {
  const releases = await publishedIn(api, options);
  for (const { id } of releases) await api.post(`/v1/releases/${id}/unyank`, {});
  const channels = releases.map(({ channel }) => channel);
  return signed(api, options, releases, (graph, all) => {
    const back = all.filter(({ version, channel }) => version === options.version && channels.includes(channel));
    return graph && graphWith(graph, all, back);
  });
}

async function publishedIn(
  api: ApiClient,
  { product, version, channel }: YankOptions,
): Promise<readonly ReleaseView[]> {
  const query = new URLSearchParams({ product, version, ...(channel === undefined ? {} : { channel }) });
  const releases = await api.all<ReleaseView>(`/v1/releases?${query}`);
  const published = releases.filter(({ state }) => state === 'published');
  if (published.length > 0) return published;
  const where = channel === undefined ? '' : ` in ${channel}`;
  throw serverError('not-found', `${product} ${version} is not published${where}.`);
}

async function signed(
  api: ApiClient,
  { product, version, keysDirectory, nowMs }: YankOptions,
  releases: readonly ReleaseView[],
  change: GraphChange,
): Promise<Yanked> {
  const about = { product, version, channels: releases.map(({ channel }) => channel) };
  try {
    const { isChanged, offline } = await publishGraph(api, product, keysDirectory, nowMs, change);
    const warnings = offline === 'keys-elsewhere' ? [KEYS_ELSEWHERE] : [];
    return { ...about, graph: isChanged ? 'signed' : 'unchanged', warnings };
  } catch (error) {
    if (!hasCode(error, 'keys-missing')) throw error;
    return { ...about, graph: 'unsigned', warnings: [] };
  }
}
