// Where something was published, the offline snapshot follows: with the keys at hand, or with a warning that people have to sign it.
import type { Terminal } from '../../../terminal.ts';
import type { OfflineTerms } from '../../ceremony/offline-snapshot.ts';
import type { ApiClient } from '../../pipeline/api-client.ts';
import { KEYS_ELSEWHERE, publishOfflineSnapshot } from '../../pipeline/offline-snapshot.ts';

/** Publishes one over what is published now, and adds its version to `versions`. @throws as `publishOfflineSnapshot` does */
export async function followWithOfflineSnapshot(
  out: Terminal,
  api: ApiClient,
  keysDirectory: string,
  terms: OfflineTerms,
  versions: Map<string, number>,
): Promise<void> {
  const offline = await publishOfflineSnapshot(api, keysDirectory, terms);
  if (offline.status === 'published') versions.set('offline-snapshot', offline.version);
  if (offline.status === 'keys-elsewhere') out.say(`Warning: ${KEYS_ELSEWHERE}.`);
}
