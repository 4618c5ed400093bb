// Drafts: releases whose objects are stored and that nobody has signed. No site hears of them.
import { randomUUID } from 'node:crypto';
import { parseDocument, releaseDocumentSchema } from '../../bundles/index.ts';
import { CONTENT_KEY_BYTES } from '../../signing/index.ts';
import { type Actor, audit } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import { requireProduct } from '../db/owned.ts';
import { serverError } from '../errors.ts';
import { DRAFT } from './channel-order.ts';
import { sealContentKey } from './content-keys.ts';
import { type ReleaseView, view } from './releases.ts';

export interface DraftSubmission {
  /** `release.json` as it would be signed; its counter is given when it is promoted. */
  readonly document: Uint8Array;
  readonly content: string;
  readonly index: string;
  readonly contentKey: Uint8Array;
  /** Digests of stored objects. */
  readonly sbom: string;
  readonly provenance: string;
}

/**
 * Keeps a draft; the next one of the same version takes its place.
 *
 * @throws `document-invalid`, `request-invalid`, `forbidden` for a product that the caller is not limited to
 */
export async function keepDraft(tenant: Tenant, draft: DraftSubmission, actor: Actor): Promise<ReleaseView> {
  const { product, version, manifest } = parseDocument(releaseDocumentSchema, draft.document, 'release document');
  if (draft.contentKey.length !== CONTENT_KEY_BYTES) {
    throw serverError('request-invalid', `A content key has ${CONTENT_KEY_BYTES} bytes.`);
  }
  requireProduct(tenant, product);
  const { sbom, provenance } = draft;
  const content = {
    counter: 0,
    state: 'draft' as const,
    problem: null,
    manifest_digest: manifest.sha256,
    index_digest: draft.index,
    content_digest: draft.content,
    sealed_content_key: sealContentKey(tenant, manifest.sha256, draft.contentKey),
    document: Buffer.from(draft.document).toString('utf8'),
    attestations: JSON.stringify({ sbom, provenance }),
    created_at: tenant.now(),
    published_at: null,
  };
  const name = { organization: tenant.organization, product, channel: DRAFT, version };
  return tenant.db.transaction().execute(async db => {
    const row = await db
      .insertInto('releases')
      .values({ ...name, id: randomUUID(), ...content })
      .onConflict(conflict => conflict.columns(['organization', 'product', 'channel', 'version']).doUpdateSet(content))
      .returningAll()
      .executeTakeFirstOrThrow();
    await audit(db, tenant, actor, 'release.draft', `${product} ${version}`);
    return view(row);
  });
}
