// The TUF client workflow (TUF 1.0.31, section 5) without I/O: bytes and a clock come in, a new trusted state or an
// error comes out. Read it beside the specification. `refresh.ts` drives it over a network, a relay or a stick.
import type { AlgorithmClass } from './algorithms.ts';
import { counted, sha256Hex } from './encoding.ts';
import { signingError } from './errors.ts';
import { classOf, keyIdOf, type PublicKey, verifySignature } from './keys.ts';
import {
  type DelegatedRole,
  type FileMeta,
  LIMITS,
  type Metadata,
  parseMetadata,
  type RoleKeys,
  type Root,
  type SignedMetadata,
  type Snapshot,
  type TargetMeta,
  type Targets,
  type Timestamp,
} from './metadata.ts';
import { STRICT, type TrustPolicy } from './policy.ts';

/** One trusted file: what it says, and its exact bytes, to be stored. */
export interface Trusted<T extends Metadata> {
  readonly content: T;
  readonly bytes: Uint8Array;
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
  readonly targets: ReadonlyMap<string, Trusted<Targets>>;
}

/** Classical and post-quantum. */
const HYBRID_CLASSES = 2;

/** Section 5.2: starts from the root that came with the product or with the activation file. */
export function trustRoot(bytes: Uint8Array, policy: TrustPolicy = STRICT): TrustedState {
  requireSize('root', bytes, LIMITS.rootBytes);
  const root = parseMetadata('root', bytes);
  requireThreshold(policy, root, 'root', root.content.keys, rootRole(root.content, 'root'));
  return { policy, root: { content: root.content, bytes }, targets: new Map() };
}

/** The exact bytes of a state, as a store keeps them. */
export interface TrustedFiles {
  readonly root: Uint8Array;
  readonly timestamp?: Uint8Array;
  readonly snapshot?: Uint8Array;
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
    const { keys } = state.root.content;
    const restored: { -readonly [K in keyof TrustedState]: TrustedState[K] } = { ...state };
    if (files.timestamp) {
      const timestamp = parseMetadata('timestamp', files.timestamp);
      requireThreshold(policy, timestamp, 'timestamp', keys, rootRole(state.root.content, 'timestamp'));
      restored.timestamp = { content: timestamp.content, bytes: files.timestamp };
    }
    if (files.snapshot) {
      const snapshot = parseMetadata('snapshot', files.snapshot);
      requireThreshold(policy, snapshot, 'snapshot', keys, rootRole(state.root.content, 'snapshot'));
      restored.snapshot = { content: snapshot.content, bytes: files.snapshot };
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
  const next = parseMetadata('root', bytes);
  requireThreshold(state.policy, next, 'root', current.keys, rootRole(current, 'root')); // 5.3.4
  requireThreshold(state.policy, next, 'root', next.content.keys, rootRole(next.content, 'root'));
  if (next.content.version !== current.version + 1) {
    throw versionError('root', next.content.version, `the next root has to be version ${current.version + 1}`); // 5.3.5
  }
  const root = { content: next.content, bytes };
  // 5.3.11: recovery from a fast-forward attack. New online keys start their version numbers afresh.
  const sameOnlineKeys =
    sameKeys(rootRole(current, 'timestamp'), rootRole(next.content, 'timestamp')) &&
    sameKeys(rootRole(current, 'snapshot'), rootRole(next.content, 'snapshot'));
  return sameOnlineKeys ? { ...state, root } : { policy: state.policy, root, targets: new Map() };
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
  const next = parseMetadata('timestamp', bytes);
  requireThreshold(state.policy, next, 'timestamp', state.root.content.keys, rootRole(state.root.content, 'timestamp')); // 5.4.2
  const current = state.timestamp?.content;
  if (current) {
    if (next.content.version < current.version) {
      throw versionError('timestamp', next.content.version, `version ${current.version} is already known`); // 5.4.3.1
    }
    if (next.content.snapshot.version < current.snapshot.version) {
      const known = `snapshot ${current.snapshot.version} is already known`;
      throw versionError('snapshot in the timestamp', next.content.snapshot.version, known); // 5.4.3.2
    }
    if (next.content.version === current.version) {
      requireUnexpired('timestamp', current, nowMs);
      return state;
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
  requireSize('snapshot', bytes, expected.length ?? LIMITS.snapshotBytes);
  requireDigest('snapshot', bytes, expected); // 5.5.2
  const next = parseMetadata('snapshot', bytes);
  requireThreshold(state.policy, next, 'snapshot', state.root.content.keys, rootRole(state.root.content, 'snapshot')); // 5.5.3
  requireVersion('snapshot', next.content.version, expected.version); // 5.5.4
  for (const [name, known] of state.snapshot?.content.meta ?? []) {
    const offered = next.content.meta.get(name); // 5.5.5
    if (!offered) throw versionError(name, undefined, 'the new snapshot no longer lists it');
    if (offered.version < known.version) {
      throw versionError(name, offered.version, `version ${known.version} is already known`);
    }
  }
  requireUnexpired('snapshot', next.content, nowMs); // 5.5.6
  return { ...state, snapshot: { content: next.content, bytes } };
}

/**
 * Sections 5.6 and 5.6.7: the top-level targets, or a role that an already trusted `parent` delegates to.
 *
 * @throws `metadata-digest`, `metadata-signature`, `metadata-version`, `metadata-expired`, `metadata-malformed`
 */
export function updateTargets(
  state: TrustedState,
  role: string,
  parent: string | undefined,
  bytes: Uint8Array,
  nowMs: number,
): TrustedState {
  const expected = requireListed(state, role);
  requireSize(role, bytes, expected.length ?? LIMITS.targetsBytes);
  requireDigest(role, bytes, expected); // 5.6.2
  const next = parseMetadata('targets', bytes);
  const { keys, roleKeys } = delegator(state, role, parent);
  requireThreshold(state.policy, next, role, keys, roleKeys); // 5.6.3
  requireVersion(role, next.content.version, expected.version); // 5.6.4
  requireUnexpired(role, next.content, nowMs); // 5.6.5
  const targets = new Map(state.targets).set(role, { content: next.content, bytes });
  return { ...state, targets };
}

/** What {@link lookUp} answers: the target, the role whose metadata is needed to go on, or that nobody signed it. */
export type Lookup =
  | { readonly status: 'found'; readonly target: TargetMeta; readonly role: string }
  | { readonly status: 'needs-role'; readonly role: string; readonly parent: string }
  | { readonly status: 'unknown' };

/** Section 5.6.7: pre-order walk over the delegations, each role once, bounded by `LIMITS.rolesVisited`. */
export function lookUp(state: TrustedState, path: string, fresh: ReadonlySet<string>): Lookup {
  const stack: { role: string; parent: string; depth: number }[] = [{ role: 'targets', parent: 'root', depth: 0 }];
  const visited = new Set<string>();
  while (stack.length > 0 && visited.size < LIMITS.rolesVisited) {
    const { role, parent, depth } = stack.pop() as (typeof stack)[number];
    if (visited.has(role)) continue;
    visited.add(role);
    const trusted = state.targets.get(role);
    if (!trusted || !fresh.has(role)) return { status: 'needs-role', role, parent };
    const target = trusted.content.targets.get(path);
    if (target) return { status: 'found', target, role };
    if (depth >= LIMITS.delegationDepth) continue;
    const matching = trusted.content.delegations.filter(child => child.paths.some(p => pathMatches(p, path)));
    const stop = matching.findIndex(child => child.terminating);
    if (stop >= 0) stack.length = 0; // 5.6.7.2.1: nothing after a terminating delegation is asked
    const children = stop >= 0 ? matching.slice(0, stop + 1) : matching;
    for (const child of children.reverse()) stack.push({ role: child.name, parent: role, depth: depth + 1 });
  }
  return { status: 'unknown' };
}

/**
 * The last step of section 5.7: the bytes of a target against what was signed.
 *
 * @throws `target-digest`
 */
export function requireTarget(path: string, meta: TargetMeta, bytes: Uint8Array): void {
  if (bytes.length === meta.length && sha256Hex(bytes) === meta.sha256) return;
  throw signingError('target-digest', `The object ${path} is not the one that was signed.`);
}

/** Shell-style match within path segments: `*` and `?` never match a slash (section 4.5, PATHPATTERN). */
export function pathMatches(pattern: string, path: string): boolean {
  const patternParts = pattern.split('/');
  const pathParts = path.split('/');
  return (
    patternParts.length === pathParts.length &&
    patternParts.every((part, i) => segmentMatches(part, pathParts[i] ?? ''))
  );
}

/** Linear-time glob of one segment: on a mismatch only the last `*` is extended. */
function segmentMatches(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

function delegator(state: TrustedState, role: string, parent: string | undefined) {
  if (parent === undefined || role === 'targets') {
    return { keys: state.root.content.keys, roleKeys: rootRole(state.root.content, 'targets') };
  }
  const trusted = state.targets.get(parent)?.content;
  const roleKeys = trusted?.delegations.find((child: DelegatedRole) => child.name === role);
  if (!trusted || !roleKeys) throw signingError('metadata-signature', `${parent} does not delegate to ${role}.`);
  return { keys: trusted.keys, roleKeys };
}

function rootRole(root: Root, name: 'root' | 'timestamp' | 'snapshot' | 'targets'): RoleKeys {
  return root.roles.get(name) as RoleKeys;
}

/**
 * Counts distinct keys with a valid signature: under whatever ids it is listed, a key counts once. Where the policy says so,
 * each class of algorithms that the role has keys of needs the threshold for itself.
 */
function requireThreshold(
  policy: TrustPolicy,
  file: SignedMetadata,
  name: string,
  keys: ReadonlyMap<string, PublicKey>,
  role: RoleKeys,
): void {
  const signed = new Map<AlgorithmClass | 'any', Set<string>>();
  for (const keyId of role.keyids) {
    const key = keys.get(keyId);
    const algorithmClass = key && policy.schemes.has(key.scheme) ? classOf(key) : undefined;
    if (!key || !algorithmClass) continue;
    const kind = policy.threshold === 'per-class' ? algorithmClass : 'any';
    const valid = signed.get(kind) ?? new Set();
    signed.set(kind, valid);
    const identity = keyIdOf(key);
    if (policy.keyIds === 'recomputed' && identity !== keyId) continue;
    const signature = file.signatures.get(keyId);
    if (!signature || valid.size >= role.threshold || valid.has(identity)) continue;
    if (verifySignature(key, file.signed, signature)) valid.add(identity);
  }
  const isOnline = name === 'timestamp' || name === 'snapshot';
  if (policy.hybrid === 'required' && !isOnline && signed.size < HYBRID_CLASSES) {
    throw signingError('metadata-signature', `The role ${name} has to have keys of both classes of algorithms.`);
  }
  const counts = [...signed].map(([kind, valid]) => ({ kind, valid: valid.size }));
  if (counts.length > 0 && counts.every(({ valid }) => valid >= role.threshold)) return;
  const { kind, valid } = counts.find(count => count.valid < role.threshold) ?? { kind: 'any', valid: 0 };
  const which = kind === 'any' ? 'trusted' : `trusted ${kind}`;
  throw signingError(
    'metadata-signature',
    `The ${name} metadata has ${counted(valid, 'valid signature')} of ${which} keys and needs ${role.threshold}.`,
  );
}

function requireSize(name: string, bytes: Uint8Array, most: number): void {
  if (bytes.length <= most) return;
  throw signingError(
    'metadata-too-large',
    `The ${name} metadata has ${bytes.length} bytes; at most ${most} are allowed.`,
  );
}

function requireDigest(name: string, bytes: Uint8Array, expected: FileMeta): void {
  const lengthOk = expected.length === undefined || expected.length === bytes.length;
  const digestOk = expected.sha256 === undefined || expected.sha256 === sha256Hex(bytes);
  if (!lengthOk || !digestOk)
    throw signingError('metadata-digest', `The ${name} metadata is not the one that was signed.`);
}

function requireVersion(name: string, actual: number, expected: number): void {
  if (actual !== expected) throw versionError(name, actual, `version ${expected} was promised`);
}

function requireUnexpired(name: string, content: Metadata, nowMs: number): void {
  if (nowMs < content.expiresMs) return;
  const when = new Date(content.expiresMs).toISOString();
  throw signingError('metadata-expired', `The ${name} metadata expired at ${when}.`);
}

function requireTimestamp(state: TrustedState): Timestamp {
  if (!state.timestamp) throw new Error('updateTimestamp has to come before updateSnapshot');
  return state.timestamp.content;
}

function requireListed(state: TrustedState, role: string): FileMeta {
  const meta = state.snapshot?.content.meta.get(`${role}.json`);
  if (!meta) throw signingError('metadata-missing', `The snapshot does not list the role ${role}.`);
  return meta;
}

function versionError(name: string, offered: number | undefined, why: string) {
  const what = offered === undefined ? name : `${name} version ${offered}`;
  return signingError('metadata-version', `The source offers ${what}, but ${why}.`);
}

function sameKeys(a: RoleKeys, b: RoleKeys): boolean {
  return a.threshold === b.threshold && a.keyids.size === b.keyids.size && [...a.keyids].every(id => b.keyids.has(id));
}
