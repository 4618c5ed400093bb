// Reads a medium: the same questions that a site asks the service, answered from files. It believes nothing and decides
// nothing; whoever asks verifies.
import { open, stat } from 'node:fs/promises';
import { type BundleSource, filesystemStore, parseDocument } from '../bundles/index.ts';
import { type MetadataSource, readFileIfAny, signingError, wrapSchema } from '../signing/index.ts';
import { airgapError } from './errors.ts';
import { decodeIndex, type MediaIndex, mediaPaths } from './layout.ts';

export interface Media {
  readonly index: MediaIndex;
  readonly source: MetadataSource & BundleSource;
}

/**
 * Opens a medium.
 *
 * @throws `media-missing`, `media-incomplete`, `media-format`
 */
export async function openMedia(directory: string): Promise<Media> {
  if (!(await stat(directory).catch(() => undefined))?.isDirectory()) {
    throw airgapError('media-missing', `There is no folder ${directory}.`);
  }
  const bytes = await readFileIfAny(mediaPaths.index(directory));
  if (!bytes) {
    const started = await stat(mediaPaths.metadata(directory, '')).catch(() => undefined);
    if (started) throw airgapError('media-incomplete', `The export to ${directory} was not finished.`);
    throw airgapError('media-missing', `${directory} is no exported medium.`);
  }
  return { index: parseIndex(bytes, directory), source: mediaSource(directory) };
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
  const objects = filesystemStore(mediaPaths.objects(directory));
  return {
    name: `stick ${directory}`,
    metadata: (name, maxBytes) => readAtMost(mediaPaths.metadata(directory, name), maxBytes),
    target: (_path, sha256, maxBytes) => readAtMost(mediaPaths.target(directory, sha256), maxBytes),
    object: digest => objects.get(digest),
    async wrap(_license, manifest) {
      const bytes = await readFileIfAny(mediaPaths.wrap(directory, manifest));
      if (!bytes) throw airgapError('media-incomplete', `The stick lacks the key of release ${manifest.slice(0, 12)}.`);
      return parseDocument(wrapSchema, bytes, `wrapped key of release ${manifest.slice(0, 12)}`);
    },
  };
}

/** A file on a stick may be anything: it is measured before it is read. */
async function readAtMost(path: string, maxBytes: number): Promise<Buffer | undefined> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!file) return undefined;
  try {
    const { size } = await file.stat();
    if (size > maxBytes)
      throw signingError('metadata-too-large', `${path} has ${size} bytes; ${maxBytes} are allowed.`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

function parseIndex(bytes: Buffer, directory: string): MediaIndex {
  try {
    return decodeIndex(bytes);
  } catch (cause) {
    throw airgapError('media-format', `${mediaPaths.index(directory)} is damaged or of another format.`, { cause });
  }
}
