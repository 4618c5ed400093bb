// What cut-off sites go by (Uptane PURE-2): one long-valid file that people sign offline. It says which root is the newest and
// what every role's newest file is, and stands in for timestamp and snapshot, which expire on the shelf.
import { requireDigest, requireSize, requireUnexpired, versionError } from './checks.ts';
import { signingError } from './errors.ts';
import { LIMITS } from './limits.ts';
import { type FileMeta, type Grace, parseMetadata } from './metadata.ts';
import { requireNothingLost, requireSigned, type TrustedState } from './trust.ts';

const DAY_MS = 24 * 3600_000;

/** Its name in a repository: there is only the newest. */
export const OFFLINE_SNAPSHOT = 'offline-snapshot.json';

/** True when this state asks media for an offline snapshot. */
export function namesOfflineSnapshot({ root }: TrustedState): boolean {
  return root.content.roles.has('offline-snapshot');
}

/** True when this state goes by the offline snapshot, and not by timestamp and snapshot. */
export function isOffline({ listed, offlineSnapshot }: TrustedState): boolean {
  return listed === offlineSnapshot?.content.meta;
}

/**
 * Takes note of an offline snapshot, after the roots: what it says of the newest root holds, whichever snapshot is gone by.
 *
 * @throws `root-chain-incomplete`, `metadata-signature`, `metadata-version`, `metadata-digest`, `metadata-malformed`,
 * `metadata-too-large`
 */
export function updateOfflineSnapshot(state: TrustedState, bytes: Uint8Array): TrustedState {
  requireSize('offline-snapshot', bytes, LIMITS.snapshotBytes);
  const { content, ...file } = parseMetadata('offline-snapshot', bytes, state.policy.format);
  requireSigned(state.policy, { content, ...file }, 'offline-snapshot', state.root.content);
  const known = state.offlineSnapshot?.content;
  if (known && content.version < known.version) {
    throw versionError('offline-snapshot', content.version, `version ${known.version} is already known`);
  }
  requireNewestRoot(state, content.root);
  if (known) requireNothingLost(known.meta, content.meta);
  return { ...state, offlineSnapshot: { content, bytes } };
}

/**
 * Goes by the offline snapshot that is known. What has expired by less than its grace is taken: {@link standingOf} says so.
 *
 * @throws `metadata-version` where the site has seen newer files than it lists, `metadata-expired`
 */
export function goOffline(state: TrustedState, nowMs: number): TrustedState {
  const { content } = state.offlineSnapshot as NonNullable<typeof state.offlineSnapshot>;
  if (state.snapshot) requireNothingLost(state.snapshot.content.meta, content.meta);
  requireUnexpired('offline-snapshot', content, nowMs - graceMs(content.grace));
  return { ...state, listed: content.meta, targets: new Map() };
}

/** A chain of roots that was cut short would leave keys trusted that the vendor has replaced. Newer roots may follow. */
function requireNewestRoot({ root }: TrustedState, newest: FileMeta): void {
  if (root.content.version === newest.version) requireDigest('root', root.bytes, newest);
  if (root.content.version >= newest.version) return;
  const found = `The source’s chain of roots ends at root ${root.content.version}`;
  throw signingError('root-chain-incomplete', `${found}, and root ${newest.version} has been signed.`);
}

/** By how much later than now things may have expired. */
export function graceMs({ warnDays, restrictDays }: Grace): number {
  return (warnDays + restrictDays) * DAY_MS;
}

/**
 * How far what is known can be relied on. `current`: nothing has expired. `warned`: something has; all is allowed, and people
 * are told. `restricted`: no new version is brought in; what runs goes on, and is repaired.
 */
export type Standing = 'current' | 'warned' | 'restricted';

/**
 * Where a site stands by the signed policy of the offline snapshot it goes by. Beyond `restricted`, the files are refused.
 *
 * @param state after whatever it was asked for has been looked up
 */
export function standingOf(state: TrustedState, nowMs: number): Standing {
  return standingAt(firstExpiry(state), state.offlineSnapshot?.content.grace, nowMs);
}

/** The same from what was kept of a state. Without a policy, what has expired is a reason to warn. */
export function standingAt(expiresMs: number, grace: Grace | undefined, nowMs: number): Standing {
  const pastMs = nowMs - expiresMs;
  if (pastMs < 0) return 'current';
  return !grace || pastMs < grace.warnDays * DAY_MS ? 'warned' : 'restricted';
}

/**
 * When the first of the files expires that a state needs, in milliseconds since 1970. It needs no timestamp and snapshot while the
 * offline snapshot lists the same.
 */
export function firstExpiry(state: TrustedState): number {
  const snapshots = listsTheSame(state) ? [state.offlineSnapshot] : [state.timestamp, state.snapshot];
  const files = [state.root, ...snapshots, ...state.targets.values()];
  return Math.min(...files.flatMap(file => (file ? [file.content.expiresMs] : [])));
}

/** True when the offline snapshot lists whatever is in use, in the same versions. */
function listsTheSame({ listed, offlineSnapshot }: TrustedState): boolean {
  const meta = offlineSnapshot?.content.meta;
  return meta !== undefined && [...listed].every(([name, { version }]) => meta.get(name)?.version === version);
}
