// Drives the trust core over a medium: as over a network while its timestamp is fresh, by the offline snapshot when it is not.
import { hasCode } from './errors.ts';
import { LIMITS } from './limits.ts';
import {
  goOffline,
  graceMs,
  namesOfflineSnapshot,
  OFFLINE_SNAPSHOT,
  updateOfflineSnapshot,
} from './offline-snapshot.ts';
import { STRICT, type TrustPolicy } from './policy.ts';
import { begin, followOnline } from './refresh.ts';
import { type Repository, repositoryView } from './repository-view.ts';
import { keep, type MetadataSource, required, type TrustStore } from './source.ts';
import { requireCurrentRoot, type TrustedFiles, type TrustedState } from './trust.ts';

/**
 * As `refresh`, from files that may have lain on a shelf. Where root names an offline snapshot, the medium has to carry one:
 * it proves that no newer root was left out.
 *
 * @throws what `refresh` throws, and `root-chain-incomplete`
 */
export async function refreshFromMedium(
  source: MetadataSource,
  store: TrustStore,
  anchor: Uint8Array,
  nowMs: number,
  policy: TrustPolicy = STRICT,
): Promise<Repository> {
  const { state, stored } = await begin(source, store, anchor, policy);
  if (!namesOfflineSnapshot(state)) return followOnline(state, stored, source, store, nowMs);
  const bytes = await required(source, OFFLINE_SNAPSHOT, LIMITS.snapshotBytes);
  const offline = await keep(store, state, updateOfflineSnapshot(state, bytes));
  try {
    return await followOnline(offline, stored, source, store, nowMs);
  } catch (error) {
    if (!hasCode(error, 'metadata-expired')) throw error;
    return followOffline(offline, stored, source, store, nowMs);
  }
}

async function followOffline(
  start: TrustedState,
  stored: TrustedFiles | undefined,
  source: MetadataSource,
  store: TrustStore,
  nowMs: number,
): Promise<Repository> {
  const state = await keep(store, start, goOffline(start, nowMs));
  const { content } = state.offlineSnapshot as NonNullable<typeof state.offlineSnapshot>;
  const judgedMs = nowMs - graceMs(content.grace);
  requireCurrentRoot(state, judgedMs);
  const view = repositoryView(state, stored?.targets ?? new Map(), source, store, judgedMs);
  await view.load('targets', 'root');
  return view;
}
