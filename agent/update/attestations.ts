// What was signed about a release: kept beside it for the operator, and held against it. A provenance that is about something
// else is no provenance.
import { join } from 'node:path';
import { z } from 'zod';
import { bundleError, parseDocument, type ReleaseDocument, targetPaths } from '../../bundles/index.ts';
import { type Repository, writeFileAtomic } from '../../signing/index.ts';
import { releaseFolder } from './releases.ts';
import type { Site } from './site.ts';

const statementSchema = z.looseObject({
  subject: z.array(z.looseObject({ digest: z.record(z.string(), z.string()) })),
});

/**
 * Verifies provenance and bill of materials, and keeps both.
 *
 * @throws `document-invalid`, and the codes of trust and the source
 */
export async function takeAttestations(
  directory: string,
  site: Site,
  repository: Repository,
  release: ReleaseDocument,
): Promise<void> {
  const { product, version } = release;
  const provenance = await repository.target(targetPaths.provenance(product, site.channel, version));
  const sbom = await repository.target(targetPaths.sbom(product, site.channel, version));
  const { subject } = parseDocument(statementSchema, provenance.bytes, `provenance of ${version}`);
  if (!subject.some(({ digest }) => digest['sha256'] === release.manifest.sha256)) {
    throw bundleError('document-invalid', `The provenance of ${product} ${version} is about something else.`);
  }
  const folder = join(directory, releaseFolder(release));
  await writeFileAtomic(`${folder}.provenance.json`, provenance.bytes);
  await writeFileAtomic(`${folder}.sbom.json`, sbom.bytes);
}
