// Promotion: a release that is stored already is offered in another channel, under a document and a number of that channel. Nothing
// is packed or uploaded again; what is checked before a release goes live is checked again.
import { parseDocument, type ReleaseDocument, releaseDocumentSchema } from '../../bundles/index.ts';
import { canonicalJson } from '../../signing/index.ts';
import type { Actor } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import { ownedBy } from '../db/owned.ts';
import { serverError } from '../errors.ts';
import type { Publication } from '../trust/repository.ts';
import { requireForward } from './channel-order.ts';
import { openContentKey } from './content-keys.ts';
import type { PublishJob } from './publication.ts';
import { type ReleaseRow, type ReleaseView, releaseRow } from './releases.ts';
import { submitRelease } from './submission.ts';

export interface Promotion {
  readonly channel: string;
  /** The exact bytes of the `release.json` of that channel. */
  readonly document: Uint8Array;
  readonly publication: Publication;
  /** Whether it may go against the order of channels. */
  readonly backward: boolean;
}

/**
 * Takes a release in for another channel. The same again is fine.
 *
 * @throws `not-found`, `promotion-backward`, `release-yanked`, `release-exists`, `request-invalid`
 */
export async function promoteRelease(
  tenant: Tenant,
  id: string,
  { channel, document, publication, backward }: Promotion,
  enqueue: (job: PublishJob) => Promise<void>,
  actor: Actor,
): Promise<ReleaseView> {
  const source = await releaseRow(tenant, id);
  requirePromotable(source);
  requireForward(source.channel, channel, backward);
  requireSameRelease(source, parseDocument(releaseDocumentSchema, document, 'release document'));
  await requireOneManifest(tenant, source);
  const submission = {
    channel,
    document,
    content: source.content_digest,
    index: source.index_digest,
    contentKey: openContentKey(tenant, source.manifest_digest, source.sealed_content_key),
    publication,
  };
  return submitRelease(tenant, submission, enqueue, actor, source.channel);
}

function requirePromotable({ product, version, channel, state, yanked_at }: ReleaseRow): void {
  if (state !== 'published' && state !== 'draft') {
    throw serverError('not-found', `${product} ${version} is not published in ${channel}.`);
  }
  if (yanked_at) throw serverError('release-yanked', `${product} ${version} was yanked in ${channel}.`);
}

/** Only the number and the time are the channel's own. */
function requireSameRelease(source: ReleaseRow, document: ReleaseDocument): void {
  const known = parseDocument(releaseDocumentSchema, Buffer.from(source.document), 'release document');
  if (essence(known).equals(essence(document))) return;
  throw serverError('request-invalid', `The document is not that of ${source.product} ${source.version}.`);
}

function essence({ counter: _, createdAt: __, ...document }: ReleaseDocument): Buffer {
  return canonicalJson(document);
}

/** A version is one thing, wherever it is offered. */
async function requireOneManifest(tenant: Tenant, { product, version, manifest_digest }: ReleaseRow): Promise<void> {
  const other = await tenant.db
    .selectFrom('releases')
    .select('channel')
    .where(ownedBy(tenant, 'releases'))
    .where('product', '=', product)
    .where('version', '=', version)
    .where('state', '=', 'published')
    .where('manifest_digest', '!=', manifest_digest)
    .executeTakeFirst();
  if (!other) return;
  throw serverError('release-exists', `${product} ${version} is in ${other.channel} with another manifest.`);
}
