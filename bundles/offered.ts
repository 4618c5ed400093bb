// What a channel offers, read through verified metadata: the same steps for a site and for an export to one.
import { type Repository, targetIfAny } from '../signing/index.ts';
import { bundleError } from './errors.ts';
import {
  type ChannelDocument,
  channelDocumentSchema,
  parseDocument,
  type ReleaseDocument,
  releaseDocumentSchema,
  targetPaths,
} from './release.ts';
import { type UpgradeGraph, upgradeGraphSchema } from './upgrade/graph.ts';

export type OfferedRelease = ChannelDocument['releases'][number];

/** The releases of a channel, oldest first. @throws `document-invalid`, and the codes of trust and the source */
export async function offeredReleases(
  repository: Repository,
  product: string,
  channel: string,
): Promise<readonly OfferedRelease[]> {
  const head = await repository.target(targetPaths.channel(product, channel));
  const { releases } = parseDocument(channelDocumentSchema, head.bytes, `channel document of ${product}/${channel}`);
  return releases.toSorted((a, b) => a.counter - b.counter);
}

/** The signed document of an offered release. @throws `document-invalid`, and the codes of trust and the source */
export async function offeredDocument(
  repository: Repository,
  product: string,
  channel: string,
  { version, counter }: OfferedRelease,
): Promise<ReleaseDocument> {
  const signed = await repository.target(targetPaths.release(product, channel, version));
  const document = parseDocument(releaseDocumentSchema, signed.bytes, `release document of ${version}`);
  if (document.product === product && document.version === version && document.counter === counter) return document;
  throw bundleError('document-invalid', `The release document of ${version} describes another release.`);
}

/**
 * The vendor's upgrade graph. Undefined for a vendor who has signed none: that nobody has is known from signed metadata, a source
 * cannot hide one.
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
