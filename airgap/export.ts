// Writes a medium: runs the sites' own verification over the source and keeps every file it reads. What comes out has been
// accepted once already; what is on the medium from an earlier export is not copied again.
import { rm } from 'node:fs/promises';
import {
  Bounded,
  type BundleSource,
  channelDocumentSchema,
  filesystemStore,
  parseDocument,
  type ReleaseDocument,
  releaseDocumentSchema,
  targetPaths,
} from '../bundles/index.ts';
import {
  hasCode,
  isSha256Hex,
  type MetadataSource,
  type Repository,
  refresh,
  type TrustStore,
  writeFileAtomic,
} from '../signing/index.ts';
import { airgapError } from './errors.ts';
import { encodeIndex, type MediaIndex, mediaPaths } from './layout.ts';

/** Objects copied at once. */
const PARALLEL = 4;

export interface ExportOptions {
  readonly directory: string;
  readonly product: string;
  readonly channel: string;
  readonly license: string;
  readonly source: MetadataSource & BundleSource;
  /** Root 1: the medium carries every root after it, and sites start from the one they know. */
  readonly firstRoot: Uint8Array;
  /** Names and sizes of the segments of a release; the exporter holds no key to read them from the manifest. */
  segmentsOf(manifest: string): Promise<readonly { readonly name: string; readonly size: number }[]>;
  readonly now: Date;
  onProgress?(doneBytes: number, totalBytes: number): void;
}

export interface Exported extends MediaIndex {
  /** Bytes written now; the rest was there from an earlier export. */
  readonly writtenBytes: number;
}

/**
 * Exports a release for one license. Safe to repeat on the same folder.
 *
 * @throws `media-unwritable`, and the codes of trust and of the source
 */
export async function exportMedia(options: ExportOptions): Promise<Exported> {
  const { directory } = options;
  try {
    await rm(mediaPaths.index(directory), { force: true });
    return await write(options);
  } catch (error) {
    if (!hasCode(error, 'disk-write')) throw error;
    throw airgapError('media-unwritable', `Cannot write to ${directory}.`, { cause: error });
  }
}

async function write(options: ExportOptions): Promise<Exported> {
  const { directory, product, channel, license, source, now } = options;
  await writeFileAtomic(mediaPaths.metadata(directory, '1.root.json'), options.firstRoot);
  const repository = await refresh(recording(source, directory), forgetful, options.firstRoot, now.getTime());
  await repository.target(targetPaths.issuers);
  const release = await newestRelease(repository, product, channel);
  const manifest = release.manifest.sha256;
  const wrap = await source.wrap(license, manifest);
  await writeFileAtomic(mediaPaths.wrap(directory, manifest), `${JSON.stringify(wrap)}\n`);

  const objects = [{ name: manifest, size: release.manifest.length }, ...(await options.segmentsOf(manifest))];
  const { bytes, writtenBytes } = await copyObjects(options, objects);
  const index: MediaIndex = {
    format: 'rollover-media/1',
    product,
    channel,
    version: release.version,
    license,
    exportedAt: now.toISOString(),
    objects: objects.length,
    bytes,
  };
  await writeFileAtomic(mediaPaths.index(directory), encodeIndex(index));
  return { ...index, writtenBytes };
}

/** Reading the release makes the medium carry what proves it. */
async function newestRelease(repository: Repository, product: string, channel: string): Promise<ReleaseDocument> {
  const head = await repository.target(targetPaths.channel(product, channel));
  const { releases } = parseDocument(channelDocumentSchema, head.bytes, 'channel document');
  const newest = releases.toSorted((a, b) => a.counter - b.counter).at(-1);
  if (!newest) throw airgapError('media-foreign', `The channel ${channel} of ${product} offers nothing yet.`);
  const signed = await repository.target(targetPaths.release(product, channel, newest.version));
  return parseDocument(releaseDocumentSchema, signed.bytes, 'release document');
}

/** What is there already is read, not believed: a stick that was damaged is repaired by exporting to it again. */
async function copyObjects(
  options: ExportOptions,
  objects: readonly { readonly name: string; readonly size: number }[],
) {
  const store = filesystemStore(mediaPaths.objects(options.directory));
  const copying = new Bounded(PARALLEL);
  const bytes = objects.reduce((sum, object) => sum + object.size, 0);
  let doneBytes = 0;
  let writtenBytes = 0;
  for (const { name, size } of objects) {
    await copying.start(async () => {
      const known = await store.get(name).catch(() => undefined);
      if (!known) {
        await store.put(name, await options.source.object(name, size));
        writtenBytes += size;
      }
      doneBytes += size;
      options.onProgress?.(doneBytes, bytes);
    });
  }
  await copying.drain();
  await store.flush();
  return { bytes, writtenBytes };
}

/** Hands on what the source answers, and keeps a copy on the medium. */
function recording(source: MetadataSource, directory: string): MetadataSource {
  return {
    async metadata(name, maxBytes) {
      const bytes = await source.metadata(name, maxBytes);
      if (bytes) await writeFileAtomic(mediaPaths.metadata(directory, name), bytes);
      return bytes;
    },
    async target(path, sha256, maxBytes) {
      const bytes = await source.target(path, sha256, maxBytes);
      if (bytes && isSha256Hex(sha256)) await writeFileAtomic(mediaPaths.target(directory, sha256), bytes);
      return bytes;
    },
  };
}

/** An export starts from root 1 each time, so that the medium has the whole chain. */
const forgetful: TrustStore = { load: async () => undefined, save: async () => undefined };
