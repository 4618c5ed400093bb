// The vendor's report key: a signed target that comes with every update, over the network and on sticks. Who carries a report that is
// sealed to it reads nothing of it.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { targetPaths } from '../../bundles/index.ts';
import { hasCode, type Repository, readFileIfAny, targetIfAny, writeFileAtomic } from '../../signing/index.ts';
import type { Site } from './site.ts';

/**
 * Keeps the key set that the repository has now, or none where it has none.
 *
 * @throws the codes of trust and the source; a connected site does not go on without the key that was signed: to withhold it would be
 *   a way to have its reports unsealed
 */
export async function followReportKey(
  directory: string,
  { connected }: Pick<Site, 'connected'>,
  repository: Repository,
): Promise<void> {
  const path = pathIn(directory);
  try {
    const keySet = await targetIfAny(repository, targetPaths.reports);
    if (!keySet) return await rm(path, { force: true });
    if (!(await readFileIfAny(path))?.equals(keySet)) await writeFileAtomic(path, keySet);
  } catch (error) {
    // A stick that an older version wrote: the release on it is as good.
    if (connected || !hasCode(error, 'metadata-missing')) throw error;
  }
}

/** The verified key set; undefined for a repository without one, and before the first update. */
export function readReportKey(directory: string): Promise<Buffer | undefined> {
  return readFileIfAny(pathIn(directory));
}

function pathIn(directory: string): string {
  return join(directory, 'trust', 'report-keys.json');
}
