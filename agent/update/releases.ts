// The releases that lie ready at this site: unpacked folders and one small index. Read by the console and the boot service.
import { join } from 'node:path';
import { z } from 'zod';
import { type ReleaseDocument, releaseDocumentSchema } from '../../bundles/index.ts';
import { readFileIfAny, writeFileAtomic } from '../../signing/index.ts';
import { agentError } from '../errors.ts';

const readySchema = z.strictObject({
  document: releaseDocumentSchema,
  /** Folder below the data directory. */
  directory: z.string(),
  source: z.string(),
  takenAt: z.iso.datetime(),
  fetchedBytes: z.int().nonnegative(),
  reusedBytes: z.int().nonnegative(),
  /** What came from where, in bytes. */
  bySource: z.record(z.string(), z.int().nonnegative()),
});

/** A verified, unpacked release. */
export type ReadyRelease = z.infer<typeof readySchema>;

const indexSchema = z.strictObject({ format: z.literal(1), releases: z.array(readySchema) });

/** Oldest first. @throws `releases-damaged` */
export async function readyReleases(directory: string): Promise<readonly ReadyRelease[]> {
  const path = indexPath(directory);
  const bytes = await readFileIfAny(path);
  if (!bytes) return [];
  try {
    return indexSchema.parse(JSON.parse(bytes.toString('utf8'))).releases;
  } catch (cause) {
    throw agentError('releases-damaged', `${path} is damaged.`, { cause });
  }
}

/** The one with the highest counter. */
export function newestOf(releases: readonly ReadyRelease[]): ReadyRelease | undefined {
  return releases.toSorted((a, b) => a.document.counter - b.document.counter).at(-1);
}

/** Adds a release, in place of one with the same manifest. */
export async function addReady(directory: string, release: ReadyRelease): Promise<void> {
  const others = (await readyReleases(directory)).filter(other => !isSame(other.document, release.document));
  const index = { format: 1, releases: [...others, release] };
  await writeFileAtomic(indexPath(directory), `${JSON.stringify(index, null, 2)}\n`);
}

/** Where a release is unpacked: its version for people, its manifest to be exact. */
export function releaseFolder(document: ReleaseDocument): string {
  return join('releases', `${document.version}-${document.manifest.sha256.slice(0, 16)}`);
}

function isSame(a: ReleaseDocument, b: ReleaseDocument): boolean {
  return a.manifest.sha256 === b.manifest.sha256;
}

function indexPath(directory: string): string {
  return join(directory, 'releases.json');
}
