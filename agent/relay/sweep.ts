// Removes what a relay needs no more. What the state before the newest one names stays until the next sync: a site may be fetching it.
import type { z } from 'zod';
import { type BlobStore, segmentsSchema } from '../../bundles/index.ts';
import type { Catalog } from './catalog.ts';

const listSchema: z.ZodType<z.infer<typeof segmentsSchema>['segments']> = segmentsSchema.shape.segments;

/** @returns how many bytes were removed */
export async function sweep(store: BlobStore, catalogs: readonly Catalog[]): Promise<number> {
  const needed = new Set<string>();
  for (const { answers, releases } of catalogs) {
    for (const { sha256 } of Object.values(answers)) needed.add(sha256);
    for (const { manifest, segments } of releases) {
      needed.add(manifest.sha256).add(segments.sha256);
      // One that was damaged since is of a state that is past: what it names and the newest one does not is fetched again.
      const list = await store.get(segments.sha256).catch(() => undefined);
      const names = list ? listSchema.parse(JSON.parse(list.toString('utf8'))) : [];
      for (const { name } of names) needed.add(name);
    }
  }
  let removedBytes = 0;
  for await (const { digest, size } of store.list()) {
    if (needed.has(digest)) continue;
    await store.remove(digest);
    removedBytes += size;
  }
  return removedBytes;
}
