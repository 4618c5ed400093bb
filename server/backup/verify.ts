// Reads a backup to its last byte: whether it could be restored, without restoring it.

import { isDeepStrictEqual } from 'node:util';
import type { Vault } from '../vault.ts';
import type { Backup } from './folder.ts';
import type { StoredAt } from './manifest.ts';
import { eachObject, intact, objectDamaged, objectsIn } from './objects.ts';
import type { BackupProgress } from './progress.ts';
import { readSealed } from './sealed-file.ts';

/** Objects that are read, or only looked for. */
export type Depth = 'content' | 'presence';

/**
 * Verifies every part of a backup, and its objects.
 *
 * @throws `backup-damaged`, naming the first that is missing or not what was written
 */
export async function verifyBackup(
  backup: Backup,
  vault: Vault,
  depth: Depth,
  progress: BackupProgress = {},
): Promise<void> {
  const { manifest } = backup;
  for await (const _record of readSealed(backup.part('database'), vault)) {
    // Reading it is what verifies it.
  }
  const lost = manifest.lost;
  const total = manifest.objects.count + lost.length;
  let done = 0;
  await eachObject(objectsIn(readSealed(backup.part('objects'), vault)), async object => {
    if (!(await isThere(backup, object, depth)) && !isLost(lost, object)) throw objectDamaged(object);
    progress.onObject?.(++done, total);
  });
}

async function isThere(backup: Backup, { organization, digest }: StoredAt, depth: Depth): Promise<boolean> {
  const store = backup.objects(organization);
  return (await (depth === 'content' ? intact(store, digest) : store.size(digest))) !== undefined;
}

/** The service did not have it when the backup was made. */
export function isLost(lost: readonly StoredAt[], object: StoredAt): boolean {
  return lost.some(other => isDeepStrictEqual(other, object));
}
