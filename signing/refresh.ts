// Drives the trust core over a source of metadata: a network, a relay or a stick (TUF 1.0.31, section 5).
// Clock, source and store are handed in; what is accepted is stored before the next step.

import { isPromised, mostBytes } from './checks.ts';
import { signingError } from './errors.ts';
import { LIMITS } from './limits.ts';
import { STRICT, type TrustPolicy } from './policy.ts';
import { type Repository, repositoryView } from './repository-view.ts';
import { keep, type MetadataSource, metadataName, required, type TrustStore } from './source.ts';
import {
  requireCurrentRoot,
  restoreTrust,
  type TrustedFiles,
  type TrustedState,
  trustRoot,
  updateRoot,
  updateSnapshot,
  updateTimestamp,
} from './trust.ts';

/**
 * Runs the client workflow once, up to the top-level targets, and returns a view that looks up targets.
 *
 * @param anchor the root this site was activated with; used only while nothing is stored
 * @throws the codes of `trust.ts`, and `metadata-missing` for a source that lacks one of the files
 */
export async function refresh(
  source: MetadataSource,
  store: TrustStore,
  anchor: Uint8Array,
  nowMs: number,
  policy: TrustPolicy = STRICT,
): Promise<Repository> {
  const { state, stored } = await begin(source, store, anchor, policy);
  return followOnline(state, stored, source, store, nowMs);
}

/** Sections 5.1 to 5.3: what is stored, and the newest root. Whether that has expired is for the caller to ask. */
export async function begin(
  source: MetadataSource,
  store: TrustStore,
  anchor: Uint8Array,
  policy: TrustPolicy,
): Promise<{ readonly state: TrustedState; readonly stored: TrustedFiles | undefined }> {
  const stored = await store.load();
  const start = stored ? restoreTrust(stored, policy) : trustRoot(anchor, policy);
  return { state: await rotateRoots(start, source, store), stored };
}

/** Section 5.3.10, and sections 5.4 to 5.6. */
export async function followOnline(
  start: TrustedState,
  stored: TrustedFiles | undefined,
  source: MetadataSource,
  store: TrustStore,
  nowMs: number,
): Promise<Repository> {
  requireCurrentRoot(start, nowMs);
  let state = start;
  const timestamp = await required(source, 'timestamp.json', LIMITS.timestampBytes);
  state = await keep(store, state, updateTimestamp(state, timestamp, nowMs));
  const snapshot = await promisedSnapshot(state, source, nowMs);
  state = await keep(store, state, updateSnapshot(state, snapshot, nowMs));
  const view = repositoryView(state, stored?.targets ?? new Map(), source, store, nowMs);
  await view.load('targets', 'root');
  return view;
}

/** Section 5.3: follows the chain of roots until the source has no next one. */
async function rotateRoots(start: TrustedState, source: MetadataSource, store: TrustStore): Promise<TrustedState> {
  let state = start;
  for (let turn = 0; turn < LIMITS.rootRotations; turn++) {
    const bytes = await source.metadata(`${state.root.content.version + 1}.root.json`, LIMITS.rootBytes);
    if (!bytes) return state;
    state = updateRoot(state, bytes);
    await store.save(state);
  }
  throw signingError('metadata-too-large', `The source offers more than ${LIMITS.rootRotations} new roots at once.`);
}

/** The snapshot that the timestamp names: the one at hand when it is that one, else the source's. */
async function promisedSnapshot(state: TrustedState, source: MetadataSource, nowMs: number): Promise<Uint8Array> {
  const promised = (state.timestamp as NonNullable<typeof state.timestamp>).content.snapshot;
  const known = state.snapshot;
  if (known?.content.version === promised.version && isPromised(known.bytes, promised)) return known.bytes;
  const name = metadataName(state, 'snapshot', promised.version);
  const check = (bytes: Uint8Array) => void updateSnapshot(state, bytes, nowMs);
  return required(source, name, mostBytes(promised, LIMITS.snapshotBytes), check);
}
