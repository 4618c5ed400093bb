// The documents about a release: what was signed, or is to be.
import { targetPaths } from '../../bundles/index.ts';
import { editTargets } from '../../signing/index.ts';
import type { Tenant } from '../context.ts';
import { publishedMetadata } from '../trust/repository.ts';
import { releaseRow } from './releases.ts';

export interface ReleaseDocuments {
  /** `release.json` in base64. */
  readonly document: string;
  /** SHA-256 of stored objects; null for a release that lacks one. */
  readonly sbom: string | null;
  readonly provenance: string | null;
}

/** @throws `not-found` */
export async function documentsOf(tenant: Tenant, id: string): Promise<ReleaseDocuments> {
  const { product, channel, version, document, attestations } = await releaseRow(tenant, id);
  const bytes = Buffer.from(document).toString('base64');
  if (attestations) return { document: bytes, ...attestations };
  const role = await publishedMetadata(tenant, targetPaths.role(product, channel));
  const signed = role && editTargets(role).targets;
  return {
    document: bytes,
    sbom: signed?.get(targetPaths.sbom(product, channel, version))?.sha256 ?? null,
    provenance: signed?.get(targetPaths.provenance(product, channel, version))?.sha256 ?? null,
  };
}
