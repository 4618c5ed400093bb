// Drives the trust core over a source of metadata: a network, a relay or a stick (TUF 1.0.31, section 5).
// Clock, source and store are handed in; what is accepted is stored before the next step.
import { sha256Hex } from './encoding.ts';
import { signingError } from './errors.ts';
import { type FileMeta, LIMITS, type TargetMeta } from './metadata.ts';
import {
  lookUp,
  requireCurrentRoot,
  requireTarget,
  restoreTrust,
  type TrustedFiles,
  type TrustedState,
  trustRoot,
  updateRoot,
  updateSnapshot,
  updateTargets,
  updateTimestamp,
} from './trust.ts';

/** Where metadata comes from. `undefined` means that the source has no such file. Never returns more than `maxBytes`. */
export interface MetadataSource {
  /** `name` is a repository file name such as `2.root.json` or `timestamp.json`. */
  metadata(name: string, maxBytes: number): Promise<Uint8Array | undefined>;
  /** A target under its consistent name: the digest is part of what is asked for. */
  target(path: string, sha256: string, maxBytes: number): Promise<Uint8Array | undefined>;
}

/** Where a site keeps what it trusts. `save` is atomic: after a crash, `load` gives the old state or the new one. */
export interface TrustStore {
  load(): Promise<TrustedFiles | undefined>;
  save(state: TrustedState): Promise<void>;
}

/** A refreshed view of a repository. */
export interface Repository {
  readonly state: TrustedState;
  /**
   * The verified bytes of a target and what was signed about it.
   *
   * @throws `target-unknown`, `target-digest`, `metadata-missing`, and what the trust core throws
   */
  target(path: string): Promise<{ readonly bytes: Uint8Array; readonly meta: TargetMeta }>;

  /**
   * Verifies every role that the snapshot lists, each against who delegates to it.
   *
   * @throws `metadata-signature` for a role that nobody delegates to, and what the trust core throws
   */
  loadAllRoles(): Promise<void>;
}

/**
 * Runs the client workflow once and returns a view that looks up targets.
 *
 * @param anchor the root this site was activated with; used only while nothing is stored
 * @throws the codes of `trust.ts`, and `metadata-missing` for a source without timestamp or snapshot
 */
export async function refresh(
  source: MetadataSource,
  store: TrustStore,
  anchor: Uint8Array,
  nowMs: number,
): Promise<Repository> {
  const stored = await store.load();
  let state = await rotateRoots(stored ? restoreTrust(stored) : trustRoot(anchor), source, store);
  requireCurrentRoot(state, nowMs);

  const timestamp = await required(source, 'timestamp.json', LIMITS.timestampBytes);
  state = await keep(store, state, updateTimestamp(state, timestamp, nowMs));
  const snapshot = await promisedSnapshot(state, source);
  state = await keep(store, state, updateSnapshot(state, snapshot, nowMs));
  return repositoryView(state, stored?.targets, source, store, nowMs);
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

/** Stores what changed, before anything is built on it. */
async function keep(store: TrustStore, before: TrustedState, after: TrustedState): Promise<TrustedState> {
  if (after !== before) await store.save(after);
  return after;
}

/** The snapshot that the timestamp names: the one at hand when it is that one, else the source's. */
async function promisedSnapshot(state: TrustedState, source: MetadataSource): Promise<Uint8Array> {
  const promised = (state.timestamp as NonNullable<typeof state.timestamp>).content.snapshot;
  const known = state.snapshot;
  if (known?.content.version === promised.version && isFile(known.bytes, promised)) return known.bytes;
  return required(source, `${promised.version}.snapshot.json`, promised.length ?? LIMITS.snapshotBytes);
}

function repositoryView(
  start: TrustedState,
  stored: ReadonlyMap<string, Uint8Array> | undefined,
  source: MetadataSource,
  store: TrustStore,
  nowMs: number,
): Repository {
  let state = start;
  const fresh = new Set<string>();

  const loadRole = async (role: string, parent: string) => {
    const meta = state.snapshot?.content.meta.get(`${role}.json`);
    if (!meta) throw signingError('metadata-missing', `The snapshot does not list the role ${role}.`);
    const known = stored?.get(role);
    const bytes =
      known && isFile(known, meta)
        ? known
        : await required(source, `${meta.version}.${role}.json`, meta.length ?? LIMITS.targetsBytes);
    state = updateTargets(state, role, role === 'targets' ? undefined : parent, bytes, nowMs);
    fresh.add(role);
    await store.save(state);
  };

  return {
    get state() {
      return state;
    },
    async loadAllRoles() {
      const pending: [string, string][] = [['targets', 'root']];
      for (const [role, parent] of pending) {
        if (fresh.has(role)) continue;
        await loadRole(role, parent);
        for (const child of state.targets.get(role)?.content.delegations ?? []) pending.push([child.name, role]);
      }
      for (const name of state.snapshot?.content.meta.keys() ?? []) {
        const role = name.replace(/\.json$/, '');
        if (!fresh.has(role)) throw signingError('metadata-signature', `Nobody delegates to the role ${role}.`);
      }
    },
    async target(path) {
      for (;;) {
        const found = lookUp(state, path, fresh);
        if (found.status === 'needs-role') await loadRole(found.role, found.parent);
        else if (found.status === 'unknown') {
          throw signingError('target-unknown', `No trusted role has signed ${path}.`);
        } else {
          const bytes = await source.target(path, found.target.sha256, found.target.length);
          if (!bytes) throw signingError('metadata-missing', `The source lacks the signed object ${path}.`);
          requireTarget(path, found.target, bytes);
          return { bytes, meta: found.target };
        }
      }
    },
  };
}

/** True when the bytes are provably the promised ones; a promise without a digest proves nothing. */
function isFile(bytes: Uint8Array, promised: FileMeta): boolean {
  return promised.sha256 !== undefined && promised.sha256 === sha256Hex(bytes);
}

async function required(source: MetadataSource, name: string, maxBytes: number): Promise<Uint8Array> {
  const bytes = await source.metadata(name, maxBytes);
  if (!bytes) throw signingError('metadata-missing', `The source has no ${name}.`);
  return bytes;
}
