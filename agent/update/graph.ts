// The vendor's upgrade graph, as the site's verified metadata has it.
import { bundleError, parseDocument, targetPaths, type UpgradeGraph, upgradeGraphSchema } from '../../bundles/index.ts';
import { type Repository, targetIfAny } from '../../signing/index.ts';

/**
 * Undefined for a vendor who has signed none. That nobody has is known from signed metadata: a source cannot hide one.
 *
 * @throws `document-invalid`, and the codes of trust and the source
 */
export async function signedGraph(repository: Repository, product: string): Promise<UpgradeGraph | undefined> {
  const signed = await targetIfAny(repository, targetPaths.graph(product));
  if (!signed) return undefined;
  const graph = parseDocument(upgradeGraphSchema, signed, `upgrade graph of ${product}`);
  if (graph.product === product) return graph;
  throw bundleError('document-invalid', `The upgrade graph of ${product} is about ${graph.product}.`);
}
