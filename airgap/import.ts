// Reads a medium: the same questions that a site asks the service, answered from files. It believes nothing and decides
// nothing; whoever asks verifies.
import { stat } from 'node:fs/promises';
import { type BundleSource, bundleError, parseDocument } from '../bundles/index.ts';
import {
  LIMITS,
  type MetadataSource,
  readBounded,
  reasonOf,
  trustRoot,
  updateRoot,
  wrapSchema,
} from '../signing/index.ts';
import { airgapError } from './errors.ts';
import { decodeIndex, type MediaIndex, mediaPaths } from './layout.ts';

const INDEX_BYTES = 64 * 1024;
const WRAP_BYTES = 64 * 1024;
const DIRECTOR_BYTES = 256 * 1024;
const LICENSE_BYTES = 64 * 1024;

export interface Media {
  readonly index: MediaIndex;
  readonly source: MetadataSource & BundleSource;
}

/**
 * Opens a medium. Its chain of roots has to be whole: a site that knows an older one must be able to follow.
 *
 * @throws `media-missing`, `media-incomplete`, `media-format`, and the codes of the trust core for a broken chain
 */
export async function openMedia(directory: string): Promise<Media> {
  const found = await stat(directory).catch(cause => {
    throw airgapError('media-missing', `There is no folder ${directory} to read: ${reasonOf(cause)}.`, { cause });
  });
  if (!found.isDirectory()) throw airgapError('media-missing', `${directory} is no folder.`);
  const bytes = await readBounded(mediaPaths.index(directory), INDEX_BYTES);
  if (!bytes) {
    const started = await stat(mediaPaths.metadata(directory, '')).catch(() => undefined);
    if (started) throw airgapError('media-incomplete', `The export to ${directory} was not finished.`);
    throw airgapError('media-missing', `${directory} is no exported medium.`);
  }
  const source = mediaSource(directory);
  await requireRootChain(source);
  return { index: parseIndex(bytes, directory), source };
}

/** Every root on the medium signs the next one. Whether it is the site's own chain is for the site to say. */
async function requireRootChain(source: MetadataSource): Promise<void> {
  const first = await source.metadata('1.root.json', LIMITS.rootBytes);
  if (!first) throw airgapError('media-incomplete', 'The stick lacks the first root of trust.');
  let state = trustRoot(first);
  for (let turn = 0; turn < LIMITS.rootRotations; turn++) {
    const name = `${state.root.content.version + 1}.root.json`;
    const next = await source.metadata(name, LIMITS.rootBytes);
    if (!next) return;
    state = updateRoot(state, next);
  }
  throw airgapError('media-format', `The stick carries more than ${LIMITS.rootRotations} roots.`);
}

/** The medium is for this site, or it is said at once whose it is. @throws `media-foreign` */
export function requireMediaFor(
  { index }: Media,
  site: { readonly product: string; readonly channel: string; readonly licenseId: string },
): void {
  const mismatch =
    (index.product !== site.product && `product ${index.product}`) ||
    (index.channel !== site.channel && `channel ${index.channel}`) ||
    (index.license !== site.licenseId && `license ${index.license}`);
  if (mismatch) throw airgapError('media-foreign', `The stick is for ${mismatch}, not for this site.`);
}

function mediaSource(directory: string): MetadataSource & BundleSource {
  return {
    name: `stick ${directory}`,
    metadata: (name, maxBytes) => readBounded(mediaPaths.metadata(directory, name), maxBytes),
    target: (_path, sha256, maxBytes) => readBounded(mediaPaths.target(directory, sha256), maxBytes),
    async object(digest, maxBytes) {
      const bytes = await readBounded(mediaPaths.object(directory, digest), maxBytes);
      if (bytes) return bytes;
      throw bundleError('object-missing', `The stick lacks the object ${digest}.`);
    },
    async director() {
      const bytes = await readBounded(mediaPaths.director(directory), DIRECTOR_BYTES);
      if (bytes) return bytes.toString('utf8').trim();
      throw airgapError('media-incomplete', 'The stick lacks what the service says to sites of its license.');
    },
    async license() {
      const bytes = await readBounded(mediaPaths.license(directory), LICENSE_BYTES);
      if (bytes) return bytes.toString('utf8').trim();
      throw airgapError('media-incomplete', 'The stick lacks the license document.');
    },
    async wrap(_license, manifest) {
      const bytes = await readBounded(mediaPaths.wrap(directory, manifest), WRAP_BYTES);
      if (!bytes) throw airgapError('media-incomplete', `The stick lacks the key of release ${manifest.slice(0, 12)}.`);
      return parseDocument(wrapSchema, bytes, `wrapped key of release ${manifest.slice(0, 12)}`);
    },
  };
}

function parseIndex(bytes: Buffer, directory: string): MediaIndex {
  try {
    return decodeIndex(bytes);
  } catch (cause) {
    throw airgapError('media-format', `${mediaPaths.index(directory)} is damaged or of another format.`, { cause });
  }
}
