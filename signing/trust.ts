// The TUF client workflow (TUF 1.0.31, section 5) without I/O: bytes and a clock come in, a new trusted state or an
// error comes out. Read it beside the specification. `refresh.ts` drives it over a network, a relay or a stick.
import { isDeepStrictEqual } from 'node:util';
import { mostBytes, requireDigest, requireSize, requireUnexpired, requireVersion, versionError } from './checks.ts';
import { delegationTo } from './delegations.ts';
import { signingError } from './errors.ts';
import { LIMITS } from './limits.ts';
import {
  type FileMeta,
  type Metadata,
  type OfflineSnapshot,
  parseMetadata,
  type Root,
  type RootRole,
  type SignedMetadata,
  type Snapshot,
  type Targets,
  type Timestamp,
} from './metadata.ts';
import { STRICT, type TrustPolicy } from './policy.ts';
import type { RoleKeys } from './role-keys.ts';
import { requireThreshold } from './thresholds.ts';

/** One trusted file: what it says, and its exact bytes, to be stored. */
export interface Trusted<T extends Metadata> {
  readonly content: T;
  readonly bytes: Uint8Array;
}

/** A targets file, and the roles that have delegated to it and whose keys have signed it. */
export interface TrustedTargets extends Trusted<Targets> {
  readonly delegators: ReadonlySet<string>;
}

/**
 * All that a site believes. A state only comes from {@link trustRoot} or from another state by one of the update
 * functions, each of which either returns a newer state or throws and leaves the old one as it was.
 */
export interface TrustedState {
  readonly policy: TrustPolicy;
  readonly root: Trusted<Root>;
  readonly timestamp?: Trusted<Timestamp>;
  readonly snapshot?: Trusted<Snapshot>;
  /** Of a cut-off site (`offline-snapshot.ts`). */
  readonly offlineSnapshot?: Trusted<OfflineSnapshot>;
  /** What the snapshot in use lists: of the two, the one that was verified last. Empty until one has been. */
  readonly listed: ReadonlyMap<string, FileMeta>;
  /** By role. All of them are checked against what is listed. */
  readonly targets: ReadonlyMap<string, TrustedTargets>;
}

/** Section 5.2: starts from the root that came with the product or with the activation file. */
export function trustRoot(bytes: Uint8Array, policy: TrustPolicy = STRICT): TrustedState {
  requireSize('root', bytes, LIMITS.rootBytes);
  const root = parseMetadata('root', bytes, policy.format);
  requireSigned(policy, root, 'root', root.content);
  return { policy, root: { content: root.content, bytes }, listed: new Map(), targets: new Map() };
}

/** The exact bytes of a state, as a store keeps them. */
export interface TrustedFiles {
  readonly root: Uint8Array;
  readonly timestamp?: Uint8Array;
  readonly snapshot?: Uint8Array;
  readonly offlineSnapshot?: Uint8Array;
  readonly targets: ReadonlyMap<string, Uint8Array>;
}

/**
 * Section 5.1: takes a stored state up again. Signatures are checked; expiry is not, because an expired timestamp still
 * guards against a rollback. Targets are not taken up: {@link updateTargets} checks them again against their delegator.
 *
 * @throws `trust-state-damaged` when a stored file does not verify: silently forgetting it would allow a rollback
 */
export function restoreTrust(files: TrustedFiles, policy: TrustPolicy = STRICT): TrustedState {
  try {
    const state = trustRoot(files.root, policy);
    const restored: { -readonly [K in keyof TrustedState]: TrustedState[K] } = { ...state };
    if (files.timestamp) {
      const timestamp = parseMetadata('timestamp', files.timestamp, policy.format);
      requireSigned(policy, timestamp, 'timestamp', state.root.content);
      restored.timestamp = { content: timestamp.content, bytes: files.timestamp };
    }
    if (files.snapshot) {
      const snapshot = parseMetadata('snapshot', files.snapshot, policy.format);
      requireSigned(policy, snapshot, 'snapshot', state.root.content);
      restored.snapshot = { content: snapshot.content, bytes: files.snapshot };
    }
    if (files.offlineSnapshot) {
      const offline = parseMetadata('offline-snapshot', files.offlineSnapshot, policy.format);
      requireSigned(policy, offline, 'offline-snapshot', state.root.content);
      restored.offlineSnapshot = { content: offline.content, bytes: files.offlineSnapshot };
    }
    return restored;
  } catch (cause) {
    throw signingError('trust-state-damaged', 'The stored trust state of this site does not verify.', { cause });
  }
}

/**
 * Section 5.3: the next root, signed by the keys of the current one *and* by its own.
 *
 * @throws `metadata-signature`, `metadata-version`, `metadata-malformed`, `metadata-too-large`
 */
export function updateRoot(state: TrustedState, bytes: Uint8Array): TrustedState {
  requireSize('root', bytes, LIMITS.rootBytes);
  const current = state.root.content;
  const next = parseMetadata('root', bytes, state.policy.format);
  requireSigned(state.policy, next, 'root', current); // 5.3.4
  requireSigned(state.policy, next, 'root', next.content);
  if (next.content.version !== current.version + 1) {
    throw versionError('root', next.content.version, `the next root has to be version ${current.version + 1}`); // 5.3.5
  }
  const { policy, timestamp, snapshot, offlineSnapshot } = state;
  const isSame = (role: RootRole) => sameSigners(current, next.content, role);
  return {
    policy,
    root: { content: next.content, bytes },
    // 5.3.11: recovery from a fast-forward attack. New keys start their version numbers afresh.
    ...(isSame('timestamp') && isSame('snapshot')
      ? { ...(timestamp && { timestamp }), ...(snapshot && { snapshot }) }
      : {}),
    ...(offlineSnapshot && isSame('offline-snapshot') ? { offlineSnapshot } : {}),
    listed: new Map(),
    targets: new Map(),
  };
}

/** Section 5.3.10: the newest root must not have expired. Called once, after the last rotation. */
export function requireCurrentRoot(state: TrustedState, nowMs: number): void {
  requireUnexpired('root', state.root.content, nowMs);
}

/**
 * Section 5.4: the timestamp.
 *
 * Returns the same state when the version is the one already trusted.
 * @throws `metadata-signature`, `metadata-version`, `metadata-expired`, `metadata-malformed`, `metadata-too-large`
 */
export function updateTimestamp(state: TrustedState, bytes: Uint8Array, nowMs: number): TrustedState {
  requireSize('timestamp', bytes, LIMITS.timestampBytes);
  const next = parseMetadata('timestamp', bytes, state.policy.format);
  requireSigned(state.policy, next, 'timestamp', state.root.content); // 5.4.2
  const current = state.timestamp?.content;
  if (current) {
    if (next.content.version < current.version) {
      throw versionError('timestamp', next.content.version, `version ${current.version} is already known`); // 5.4.3.1
    }
    if (next.content.version === current.version) {
      requireUnexpired('timestamp', current, nowMs);
      return state;
    }
    if (next.content.snapshot.version < current.snapshot.version) {
      const known = `snapshot ${current.snapshot.version} is already known`;
      throw versionError('snapshot in the timestamp', next.content.snapshot.version, known); // 5.4.3.2
    }
  }
  requireUnexpired('timestamp', next.content, nowMs); // 5.4.4
  return { ...state, timestamp: { content: next.content, bytes } };
}

/**
 * Section 5.5: the snapshot that the trusted timestamp names.
 *
 * @throws `metadata-digest`, `metadata-signature`, `metadata-version`, `metadata-expired`, `metadata-malformed`
 */
export function updateSnapshot(state: TrustedState, bytes: Uint8Array, nowMs: number): TrustedState {
  const expected = requireTimestamp(state).snapshot;
  requireSize('snapshot', bytes, mostBytes(expected, LIMITS.snapshotBytes));
  requireDigest('snapshot', bytes, expected); // 5.5.2
  const next = parseMetadata('snapshot', bytes, state.policy.format);
  requireSigned(state.policy, next, 'snapshot', state.root.content); // 5.5.3
  requireVersion('snapshot', next.content.version, expected.version); // 5.5.4
  for (const known of [state.snapshot, state.offlineSnapshot]) {
    if (known) requireNothingLost(known.content.meta, next.content.meta); // 5.5.5
  }
  requireUnexpired('snapshot', next.content, nowMs); // 5.5.6
  const { meta } = next.content;
  return { ...state, snapshot: { content: next.content, bytes }, listed: meta, targets: new Map() };
}

/** Section 5.5.5: from one snapshot to the next, no role goes back or away. @throws `metadata-version` */
export function requireNothingLost(known: Snapshot['meta'], offered: Snapshot['meta']): void {
  for (const [name, { version }] of known) {
    const meta = offered.get(name);
    if (!meta) throw versionError(name, undefined, 'the new snapshot no longer lists it');
    if (meta.version < version) throw versionError(name, meta.version, `version ${version} is already known`);
  }
}

/**
 * Sections 5.6 and 5.6.7: the top-level targets on the word of `root`, or a role on the word of an already trusted `delegator`.
 *
 * @throws `metadata-missing`, `metadata-digest`, `metadata-signature`, `metadata-version`, `metadata-expired`, `metadata-malformed`
 */
export function updateTargets(
  state: TrustedState,
  role: string,
  delegator: string,
  bytes: Uint8Array,
  nowMs: number,
): TrustedState {
  const expected = requireListed(state, role);
  requireSize(role, bytes, mostBytes(expected, LIMITS.targetsBytes));
  requireDigest(role, bytes, expected); // 5.6.2
  const next = parseMetadata('targets', bytes, state.policy.format);
  const { keys, roleKeys } = requireDelegation(state, role, delegator);
  requireThreshold(state.policy, next, role, keys, roleKeys); // 5.6.3
  requireVersion(role, next.content.version, expected.version); // 5.6.4
  requireUnexpired(role, next.content, nowMs); // 5.6.5
  const known = state.targets.get(role);
  const delegators = new Set(known?.bytes === bytes ? known.delegators : []).add(delegator);
  return { ...state, targets: new Map(state.targets).set(role, { content: next.content, bytes, delegators }) };
}

/** The metadata file of a role as the trusted snapshot promises it. @throws `metadata-missing` */
export function requireListed(state: TrustedState, role: string): FileMeta {
  const meta = state.listed.get(`${role}.json`);
  if (!meta) throw signingError('metadata-missing', `The snapshot does not list the role ${role}.`);
  return meta;
}

function requireDelegation(state: TrustedState, role: string, delegator: string) {
  const { content: root } = state.root;
  if (delegator === 'root' && role === 'targets') return { keys: root.keys, roleKeys: rootRole(root, 'targets') };
  const trusted = state.targets.get(delegator)?.content;
  const roleKeys = trusted && delegationTo(trusted, role);
  if (!roleKeys) throw signingError('metadata-signature', `${delegator} does not delegate to ${role}.`);
  return { keys: trusted.keys, roleKeys };
}

/** A file of a role that root names. @throws `metadata-signature` */
export function requireSigned(policy: TrustPolicy, file: SignedMetadata, role: RootRole, root: Root): void {
  requireThreshold(policy, file, role, root.keys, rootRole(root, role));
}

/** @throws `metadata-signature` for a role that this root does not name: the offline snapshot may be left out */
function rootRole(root: Root, role: RootRole): RoleKeys {
  const roleKeys = root.roles.get(role);
  if (!roleKeys) throw signingError('metadata-signature', `Root ${root.version} names nobody for the role ${role}.`);
  return roleKeys;
}

/** Whether whatever verified for this role under one root verifies under the other. */
function sameSigners(a: Root, b: Root, role: RootRole): boolean {
  const [before, after] = [a.roles.get(role), b.roles.get(role)];
  if (!before || !after) return false;
  const sameKey = (id: string) => after.keyids.has(id) && isDeepStrictEqual(a.keys.get(id), b.keys.get(id));
  return (
    before.threshold === after.threshold &&
    before.keyids.size === after.keyids.size &&
    [...before.keyids].every(sameKey)
  );
}

function requireTimestamp(state: TrustedState): Timestamp {
  if (!state.timestamp) throw new Error('updateTimestamp has to come before updateSnapshot');
  return state.timestamp.content;
}
