// The upgrade graph of a product on the service: a signed document that the vendor's targets keys make, kept true to what is
// published. The service cannot change it; it refuses one that offers what is not there.
import { parseDocument, targetPaths, type UpgradeGraph, upgradeGraphSchema } from '../../bundles/index.ts';
import { editTargets } from '../../signing/index.ts';
import { type Actor, audit } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import { ownedBy, requireProduct } from '../db/owned.ts';
import { serverError } from '../errors.ts';
import { type ReleaseView, view } from '../releases/releases.ts';
import { type Publication, publish, publishedMetadata } from '../trust/repository.ts';
import { emit } from '../webhooks/emit.ts';
import { unsignedYanks } from './edits.ts';

export interface GraphView {
  readonly product: string;
  /** Of the role that signs it. */
  readonly version: number;
  readonly graph: UpgradeGraph;
  /** Versions that were yanked since it was signed. */
  readonly unsignedYanks: readonly string[];
}

/** More are counted instead of named. */
const MOST_NAMED = 10;

/** The published graph of a product. @throws `not-found`, `forbidden` for a product that the caller is not limited to */
export async function graphOfProduct(tenant: Tenant, product: string): Promise<GraphView> {
  requireProduct(tenant, product);
  const published = await publishedGraph(tenant, product);
  if (!published) throw serverError('not-found', `${product} has no upgrade graph.`);
  const releases = await publishedOf(tenant, product);
  return { product, ...published, unsignedYanks: unsignedYanks(published.graph, releases) };
}

/** What sites go by; undefined for a product without a graph. */
export async function publishedGraph(
  tenant: Tenant,
  product: string,
): Promise<Pick<GraphView, 'version' | 'graph'> | undefined> {
  const role = await publishedMetadata(tenant, targetPaths.graphRole(product));
  const edited = role && editTargets(role);
  const entry = edited?.targets.get(targetPaths.graph(product));
  if (!edited || !entry) return undefined;
  return { version: edited.version, graph: parseGraph(await tenant.blobs.get(entry.sha256)) };
}

/**
 * Publishes a graph that the targets keys have signed, with its role and, the first time, the delegation to it.
 *
 * @throws `request-invalid`, `document-invalid`, `graph-mismatch`, `forbidden` for a product that the caller is not limited to,
 * and what publishing throws
 */
export async function publishGraph(
  tenant: Tenant,
  product: string,
  publication: Publication,
  actor: Actor,
): Promise<GraphView> {
  requireProduct(tenant, product);
  const graph = carriedGraph(product, publication);
  requireNothingElse(product, publication);
  if (!graph) throw serverError('request-invalid', `The publication does not carry ${targetPaths.graph(product)}.`);
  await publish(tenant, publication, async db => {
    await requireTrue(tenant, db, graph);
    await emit(db, tenant, { type: 'graph.published', data: { product, versions: graph.nodes.length } });
    await audit(db, tenant, actor, 'graph.publish', product);
  });
  tenant.log.info({ product }, 'upgrade graph published');
  return graphOfProduct(tenant, product);
}

/** The graph that a publication brings; undefined when it brings none. @throws `request-invalid`, `document-invalid` */
export function carriedGraph(product: string, { metadata, targets }: Publication): UpgradeGraph | undefined {
  const bytes = targets.get(targetPaths.graph(product));
  const isSigned = metadata.has(targetPaths.graphRole(product));
  if (!bytes && !isSigned) return undefined;
  if (!bytes || !isSigned) {
    throw serverError('request-invalid', `${targetPaths.graph(product)} and the role that signs it come together.`);
  }
  const graph = parseGraph(bytes);
  if (graph.product === product) return graph;
  throw serverError('request-invalid', `The graph is one of ${graph.product}, not of ${product}.`);
}

/**
 * What a graph offers in a channel is published there, and not withdrawn.
 *
 * @throws `graph-mismatch` naming what is not
 */
export async function requireTrue(tenant: Tenant, db: Database, graph: UpgradeGraph): Promise<void> {
  const releases = await publishedOf({ ...tenant, db }, graph.product);
  const there = new Map(releases.map(({ version, channel, yanked }) => [`${version} in ${channel}`, yanked !== null]));
  const wrong = graph.nodes.flatMap(({ version, channels, yanked }) =>
    channels.flatMap(channel => {
      const what = `${version} in ${channel}`;
      if (!there.has(what)) return [`${what} is not published`];
      return there.get(what) && !yanked ? [`${what} was yanked`] : [];
    }),
  );
  if (wrong.length === 0) return;
  const more = wrong.length > MOST_NAMED ? ` and ${wrong.length - MOST_NAMED} more` : '';
  const detail = `The graph offers what ${graph.product} has not: ${wrong.slice(0, MOST_NAMED).join(', ')}${more}.`;
  throw serverError('graph-mismatch', detail);
}

function requireNothingElse(product: string, { metadata, targets }: Publication): void {
  const roles = ['targets', targetPaths.graphRole(product)];
  const foreign =
    [...metadata.keys()].find(role => !roles.includes(role)) ??
    [...targets.keys()].find(path => path !== targetPaths.graph(product));
  if (foreign !== undefined) throw serverError('request-invalid', `The publication changes ${foreign}.`);
}

async function publishedOf(tenant: Tenant, product: string): Promise<readonly ReleaseView[]> {
  const rows = await tenant.db
    .selectFrom('releases')
    .selectAll()
    .where(ownedBy(tenant, 'releases'))
    .where('product', '=', product)
    .where('state', '=', 'published')
    .execute();
  return rows.map(view);
}

/** @throws `document-invalid`, saying what is wrong: whoever sends it wrote it */
function parseGraph(bytes: Uint8Array): UpgradeGraph {
  return parseDocument(upgradeGraphSchema, bytes, 'upgrade graph');
}
