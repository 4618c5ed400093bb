// The upgrade graph as the vendor signs it: read, edited, and published over what others publish at the same time.
import {
  parseDocument,
  type ReleaseDocument,
  targetPaths,
  type UpgradeGraph,
  upgradeGraphSchema,
} from '../../bundles/index.ts';
import { editTargets, hasCode, type Signer } from '../../signing/index.ts';
import { DEFAULT_LIFE_MS } from '../ceremony/expiry.ts';
import { publishedRole } from '../ceremony/published-roles.ts';
import { serverError } from '../errors.ts';
import { encodeFiles } from '../files.ts';
import { graphOfAll, graphWith, saysMore } from '../graph/edits.ts';
import type { GraphView } from '../graph/graph.ts';
import type { ReleaseView } from '../releases/releases.ts';
import type { ApiClient } from './api-client.ts';
import { type OfflineRenewal, publishOfflineSnapshot } from './offline-snapshot.ts';
import { type RoleEdit, readTargets, signRoles } from './role-edits.ts';
import { signersOf } from './vendor-keys.ts';

/** How often it is signed anew because others were first. */
const TURNS = 5;

/** The graph of a product as it is published; none while there is none. */
interface GraphState {
  readonly roleVersion: number;
  readonly graph: UpgradeGraph | undefined;
}

/** Makes the next graph; undefined to leave things as they are. */
export type GraphChange = (
  graph: UpgradeGraph | undefined,
  releases: readonly ReleaseView[],
) => UpgradeGraph | undefined;

export interface PublishedGraph {
  /** What the service has now; undefined when it was and is without. */
  readonly view: GraphView | undefined;
  readonly isChanged: boolean;
  readonly offline: OfflineRenewal['status'] | undefined;
}

/**
 * Changes the graph of a product, signs it and publishes it. Nothing is signed when nothing changes.
 *
 * @throws `keys-missing`, `graph-file` for a graph that the schema refuses, `graph-mismatch`, and what publishing throws
 */
export async function publishGraph(
  api: ApiClient,
  product: string,
  keysDirectory: string,
  nowMs: number,
  change: GraphChange,
): Promise<PublishedGraph> {
  const signers = await signersOf(keysDirectory, 'targets');
  for (let turn = 1; ; turn++) {
    const edit = await graphEdit(api, product, change);
    if (!edit) return { view: await graphView(api, product), isChanged: false, offline: undefined };
    try {
      const view = await submitGraph(api, product, edit, signers, nowMs);
      const terms = { expiresMs: nowMs + DEFAULT_LIFE_MS, signedMs: nowMs };
      const { status } = await publishOfflineSnapshot(api, keysDirectory, terms);
      return { view, isChanged: true, offline: status };
    } catch (error) {
      if (!hasCode(error, 'metadata-conflict') || turn === TURNS) throw error;
    }
  }
}

/** The graph that goes out with a release of a channel; undefined when there is none to keep true, and nothing to say. */
export function graphEditFor(api: ApiClient, channel: string, release: ReleaseDocument): Promise<RoleEdit | undefined> {
  const { product, version, cves = [], minAgent = null, irreversible = false } = release;
  const offered = { version, channel, cves, minAgent, irreversible, yanked: null };
  return graphEdit(api, product, (graph, releases) => {
    if (!graph && !saysMore(release)) return undefined;
    const all = [...releases, offered];
    return graph ? graphWith(graph, all, [offered]) : graphOfAll(product, all);
  });
}

/** What the service tells of the graph; undefined without one. */
export async function graphView(api: ApiClient, product: string): Promise<GraphView | undefined> {
  try {
    return await api.get<GraphView>(`/v1/products/${encodeURIComponent(product)}/graph`);
  } catch (error) {
    if (hasCode(error, 'not-found')) return undefined;
    throw error;
  }
}

async function submitGraph(
  api: ApiClient,
  product: string,
  edit: RoleEdit,
  signers: readonly Signer[],
  nowMs: number,
): Promise<GraphView> {
  const { metadata, targets } = await signRoles(await readTargets(api), [edit], signers, nowMs);
  const body = { metadata: encodeFiles(metadata), targets: encodeFiles(targets) };
  return api.post<GraphView>(`/v1/products/${encodeURIComponent(product)}/graph`, body);
}

async function graphEdit(api: ApiClient, product: string, change: GraphChange): Promise<RoleEdit | undefined> {
  const { graph, roleVersion } = await readGraph(api, product);
  const next = change(graph, await publishedOf(api, product));
  if (!next) return undefined;
  const bytes = Buffer.from(JSON.stringify(checked(next)));
  if (graph && JSON.stringify(graph) === bytes.toString()) return undefined;
  const path = targetPaths.graph(product);
  return {
    role: targetPaths.graphRole(product),
    paths: [path],
    version: roleVersion,
    entries: new Map(),
    targets: new Map([[path, bytes]]),
  };
}

async function readGraph(api: ApiClient, product: string): Promise<GraphState> {
  const role = await publishedRole(api, targetPaths.graphRole(product));
  if (!role) return { roleVersion: 0, graph: undefined };
  const { version, targets } = editTargets(role);
  const entry = targets.get(targetPaths.graph(product));
  const bytes = entry && (await api.bytes(`/v1/objects/${entry.sha256}`));
  if (!bytes) throw serverError('service-failed', `The service lacks the upgrade graph of ${product}.`);
  return { roleVersion: version, graph: parseDocument(upgradeGraphSchema, bytes, 'upgrade graph') };
}

async function publishedOf(api: ApiClient, product: string): Promise<readonly ReleaseView[]> {
  const releases = await api.all<ReleaseView>(`/v1/releases?${new URLSearchParams({ product })}`);
  return releases.filter(({ state }) => state === 'published').reverse();
}

function checked(graph: UpgradeGraph): UpgradeGraph {
  const result = upgradeGraphSchema.safeParse(graph);
  if (result.success) return result.data;
  throw serverError('graph-file', `The graph would not be one: ${result.error.issues[0]?.message}.`);
}
