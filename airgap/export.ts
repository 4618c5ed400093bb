// Writes a medium: runs the sites' own verification over the source and keeps every file it reads. What comes out has been
// accepted once already; what is on the medium from an earlier export is not copied again.
import { readdir, rm } from 'node:fs/promises';
import {
  Bounded,
  type BundleSource,
  fetchObject,
  filesystemStore,
  type ReleaseDocument,
  targetPaths,
} from '../bundles/index.ts';
import {
  ensureDirectory,
  firstExpiry,
  forgetful,
  hasCode,
  isSha256Hex,
  type MetadataSource,
  reasonOf,
  refreshFromMedium,
  targetIfAny,
  verifyDirector,
  writeFileAtomic,
} from '../signing/index.ts';
import { carriedRelease, type SiteQuery } from './carried-release.ts';
import { airgapError } from './errors.ts';
import { encodeIndex, type MediaIndex, mediaPaths } from './layout.ts';

/** Objects copied at once. */
const PARALLEL = 4;

export interface ExportOptions {
  readonly directory: string;
  readonly product: string;
  readonly channel: string;
  readonly license: string;
  /** Whom it is for, as far as that is known: it carries their next step on the vendor's path. Without it, the newest release. */
  readonly site?: SiteQuery | undefined;
  readonly source: MetadataSource & BundleSource;
  /** Root 1: the medium carries every root after it, and sites start from the one they know. */
  readonly firstRoot: Uint8Array;
  /** Names and sizes of the segments of a release; the exporter holds no key to read them from the manifest. */
  segmentsOf(manifest: string): Promise<readonly { readonly name: string; readonly size: number }[]>;
  readonly now: Date;
  onProgress?(doneBytes: number, totalBytes: number): void;
}

export interface Exported extends MediaIndex {
  /** Why it is this release, in sentences; none where it is the newest anyway. */
  readonly path: readonly string[];
  /** Until when sites accept what it carries: its metadata expires, whatever it proves. */
  readonly validUntil: string;
  /** Bytes written now; the rest was there from an earlier export. */
  readonly writtenBytes: number;
}

/**
 * Exports a release for one license. Safe to repeat on the same folder; an export that is refused changes nothing there.
 *
 * @throws `media-occupied`, `media-unwritable`, `media-held-back`, `directory-unusable`, and the codes of trust and of the source
 */
export async function exportMedia(options: ExportOptions): Promise<Exported> {
  const { directory } = options;
  await requireOwnFolder(directory);
  const collected = await collect(options);
  await ensureDirectory(directory);
  try {
    return await write(options, collected);
  } catch (error) {
    if (!hasCode(error, 'disk-write', 'directory-unusable')) throw error;
    throw airgapError('media-unwritable', `Cannot write to ${directory}: ${reasonOf(error)}.`, { cause: error });
  }
}

/** What operating systems and file systems put on a stick by themselves. */
const NOT_CONTENT = /^(\..*|lost\+found|System Volume Information|\$RECYCLE\.BIN)$/i;

/** Nothing of somebody else's is mixed with an export. @throws `media-occupied` */
async function requireOwnFolder(directory: string): Promise<void> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const content = names.filter(name => !NOT_CONTENT.test(name));
  const isOurs = content.length === 0 || content.includes('rollover-media.json') || content.includes('metadata');
  if (!isOurs) throw airgapError('media-occupied', `${directory} holds something else: ${content[0]}.`);
}

/** Everything but the sealed objects: small, and read before anything is written. */
interface Collected {
  readonly files: ReadonlyMap<string, Uint8Array | string>;
  readonly release: ReleaseDocument;
  readonly path: readonly string[];
  readonly validUntil: string;
}

async function collect({ directory, product, channel, license, site, source, firstRoot, now }: ExportOptions) {
  const files = new Map<string, Uint8Array | string>([[mediaPaths.metadata(directory, '1.root.json'), firstRoot]]);
  // From root 1 each time, so that the medium has the whole chain.
  const recorded = recording(source, directory, files);
  const repository = await refreshFromMedium(recorded, forgetful, firstRoot, now.getTime());
  await repository.target(targetPaths.issuers);
  const keys = await repository.target(targetPaths.director);
  const document = await source.director();
  const { director } = await verifyDirector(document, keys.bytes);
  await targetIfAny(repository, targetPaths.reports);
  const { release, path } = await carriedRelease(repository, { product, channel, site }, director);
  await repository.target(targetPaths.provenance(product, channel, release.version));
  await repository.target(targetPaths.sbom(product, channel, release.version));
  const wrap = await source.wrap(license, release.manifest.sha256);
  files.set(mediaPaths.license(directory), await source.license());
  files.set(mediaPaths.director(directory), document);
  files.set(mediaPaths.wrap(directory, release.manifest.sha256), `${JSON.stringify(wrap)}\n`);
  return { files, release, path, validUntil: new Date(firstExpiry(repository.state)).toISOString() };
}

async function write(options: ExportOptions, { files, release, path, validUntil }: Collected): Promise<Exported> {
  const { directory, product, channel, license, now } = options;
  await rm(mediaPaths.index(directory), { force: true });
  for (const [file, content] of files) await writeFileAtomic(file, content);
  const manifest = release.manifest.sha256;
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
  return { ...index, path, writtenBytes, validUntil };
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
        await store.put(name, (await fetchObject(options.source, name, size)).bytes);
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

/** Hands on what the source answers, and keeps it for the medium. */
function recording(source: MetadataSource, directory: string, files: Map<string, Uint8Array | string>): MetadataSource {
  return {
    async metadata(name, maxBytes) {
      const bytes = await source.metadata(name, maxBytes);
      if (bytes) files.set(mediaPaths.metadata(directory, name), bytes);
      return bytes;
    },
    async target(path, sha256, maxBytes) {
      const bytes = await source.target(path, sha256, maxBytes);
      if (bytes && isSha256Hex(sha256)) files.set(mediaPaths.target(directory, sha256), bytes);
      return bytes;
    },
  };
}
