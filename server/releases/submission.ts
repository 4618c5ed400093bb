// Takes releases in from the pipeline. What is published is never changed afterwards; what is not may be submitted again.
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { parseDocument, type ReleaseDocument, releaseDocumentSchema, targetPaths } from '../../bundles/index.ts';
import { CONTENT_KEY_BYTES } from '../../signing/index.ts';
import type { Actor } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import { ownedBy, requireProduct } from '../db/owned.ts';
import { serverError } from '../errors.ts';
import { carriedGraph } from '../graph/graph.ts';
import type { Publication } from '../trust/repository.ts';
import { DRAFT } from './channel-order.ts';
import { sealContentKey } from './content-keys.ts';
import { carries, type PublishJob, publishJob } from './publication.ts';
import { type ReleaseView, releaseById, view } from './releases.ts';

/** What the pipeline hands over when every object is uploaded. */
export interface ReleaseSubmission {
  readonly channel: string;
  /** The exact bytes of `release.json`, which the channel role signs. */
  readonly document: Uint8Array;
  readonly content: string;
  readonly index: string;
  readonly contentKey: Uint8Array;
  readonly publication: Publication;
}

/**
 * Takes a release in as `publishing`. Until it is published, it may be submitted again.
 *
 * @param from the channel that it is promoted from
 * @throws `release-exists`, `request-invalid`, `forbidden` for a product that the caller is not limited to
 */
export async function submitRelease(
  tenant: Tenant,
  submission: ReleaseSubmission,
  enqueue: (job: PublishJob) => Promise<void>,
  actor: Actor,
  from?: string,
): Promise<ReleaseView> {
  const document = parseDocument(releaseDocumentSchema, submission.document, 'release document');
  if (submission.contentKey.length !== CONTENT_KEY_BYTES) {
    throw serverError('request-invalid', `A content key has ${CONTENT_KEY_BYTES} bytes.`);
  }
  requireProduct(tenant, document.product);
  requireOwn(submission, document);
  const manifest = document.manifest.sha256;
  const content = {
    counter: document.counter,
    state: 'publishing' as const,
    problem: null,
    manifest_digest: manifest,
    index_digest: submission.index,
    content_digest: submission.content,
    sealed_content_key: sealContentKey(tenant, manifest, submission.contentKey),
    document: Buffer.from(submission.document).toString('utf8'),
    created_at: tenant.now(),
    published_at: null,
  };
  const name = { product: document.product, channel: submission.channel, version: document.version };
  const stored = await tenant.db
    .insertInto('releases')
    .values({ organization: tenant.organization, id: randomUUID(), ...name, ...content })
    .onConflict(conflict =>
      conflict
        .columns(['organization', 'product', 'channel', 'version'])
        .doUpdateSet({ ...content, revision: sql`releases.revision + 1` })
        .where('releases.state', '!=', 'published'),
    )
    .returning('id')
    .executeTakeFirst();
  if (!stored) return existing(tenant, name, submission.content);
  await enqueue(publishJob(tenant, stored.id, submission.publication, actor, from));
  return releaseById(tenant, stored.id);
}

/** A published version: the same content again is fine, other content is refused. */
async function existing(
  tenant: Tenant,
  name: { readonly product: string; readonly channel: string; readonly version: string },
  content: string,
): Promise<ReleaseView> {
  const row = await tenant.db
    .selectFrom('releases')
    .selectAll()
    .where(ownedBy(tenant, 'releases'))
    .where('product', '=', name.product)
    .where('channel', '=', name.channel)
    .where('version', '=', name.version)
    .executeTakeFirstOrThrow();
  if (row.content_digest === content) return view(row);
  throw serverError(
    'release-exists',
    `${name.product} ${name.version} is already in ${name.channel}, with other content.`,
  );
}

/** A publication carries its own release under its own name, and touches no other channel. @throws `request-invalid` */
function requireOwn(
  { channel, document, publication }: ReleaseSubmission,
  { product, version }: ReleaseDocument,
): void {
  if (channel === DRAFT) throw serverError('request-invalid', `${DRAFT} is no channel; drafts are kept apart.`);
  const release = { product, channel, version, document: Buffer.from(document).toString('utf8') };
  if (!carries(publication, release)) {
    const path = targetPaths.release(product, channel, version);
    throw serverError('request-invalid', `The publication does not carry ${path} as it was submitted.`);
  }
  carriedGraph(product, publication);
  const own = ['targets', targetPaths.role(product, channel), targetPaths.graphRole(product)];
  const foreign = [...publication.metadata.keys()].find(role => !own.includes(role));
  if (foreign !== undefined) throw serverError('request-invalid', `The publication changes the role ${foreign}.`);
}
