// Follows the service's document for this site: asked for with every update, verified, never an older one again.
import { join } from 'node:path';
import { z } from 'zod';
import { type BundleSource, type Hardware, REFUSALS, type ReleaseDocument, targetPaths } from '../../bundles/index.ts';
import {
  type Direction,
  type Director,
  type Followed,
  type Install,
  newestThatHelps,
  type Repository,
  readStateFile,
  requireDirection,
  verifyDirector,
  writeFileAtomic,
} from '../../signing/index.ts';
import type { Site } from './site.ts';

const followedSchema = z.strictObject({ keyId: z.string(), sequence: z.int().positive() });

/**
 * What the service says that this site may install.
 *
 * @param sources the service first: copies that others have are for when it does not answer, not for when it refuses, and of them the
 *   newest counts
 * @throws `director-invalid`, `director-expired`, `director-older`, `trust-state-damaged`, and the codes of trust and the source
 */
export async function followDirector(
  directory: string,
  site: Site,
  repository: Repository,
  sources: readonly BundleSource[],
): Promise<Director> {
  const path = join(directory, 'trust', 'director.json');
  const followed = await readStateFile(path, followedSchema);
  const keys = await repository.target(targetPaths.director);
  const wanted = { license: site.licenseId, site: site.site, product: site.product };
  const ask = async (source: BundleSource) => {
    const direction = await verifyDirector(await source.director(), keys.bytes);
    requireDirection(direction, wanted, followed, repository.judgedMs);
    return direction;
  };
  const isNewer = (a: Direction, b: Direction) => a.director.sequence > b.director.sequence;
  const { keyId, director } = await newestThatHelps(sources, REFUSALS, ask, isNewer);
  if (followed?.keyId !== keyId || followed.sequence !== director.sequence) {
    await writeFileAtomic(path, JSON.stringify({ keyId, sequence: director.sequence } satisfies Followed));
  }
  return director;
}

/** Whether both opinions are about the very same release, for this kind of machine. */
export function agrees(install: Install, release: ReleaseDocument, channel: string, hardware: Hardware): boolean {
  const { image, manifest } = release;
  return (
    install.channel === channel &&
    install.version === release.version &&
    install.counter === release.counter &&
    install.manifest.sha256 === manifest.sha256 &&
    install.manifest.length === manifest.length &&
    install.hardware === image?.hardware &&
    (image === undefined || image.hardware === hardware)
  );
}
