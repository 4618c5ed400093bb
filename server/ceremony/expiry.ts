// When what is published expires, and when somebody has to be told. Pure.
import { parseMetadata, parseOfflineRole } from '../../signing/index.ts';

const DAY_MS = 24 * 3600_000;

/** How long root, targets and channels are valid unless told otherwise: they are renewed once a year. */
export const DEFAULT_LIFE_MS = 365 * DAY_MS;

/** People have to meet to renew these: two months are time to find three of five. */
const OFFLINE_WARNING_MS = 60 * DAY_MS;
/** The service renews these itself; when less is left, it has not for a while. */
const ONLINE_WARNING_MS: Readonly<Record<string, number>> = { snapshot: 10 * DAY_MS, timestamp: 5 * DAY_MS };

export interface RoleExpiry {
  readonly role: string;
  readonly version: number;
  /** ISO 8601, UTC. */
  readonly expires: string;
  readonly daysLeft: number;
  /** Undefined while there is time. */
  readonly warning?: string;
}

/** The expiry of published files, by role. */
export function expiriesOf(files: ReadonlyMap<string, Uint8Array>, nowMs: number): readonly RoleExpiry[] {
  return [...files].map(([role, bytes]) => {
    const isOnline = role === 'snapshot' || role === 'timestamp';
    const { version, expiresMs } = (isOnline ? parseMetadata(role, bytes) : parseOfflineRole(role, bytes)).content;
    const leftMs = expiresMs - nowMs;
    const expires = new Date(expiresMs).toISOString();
    const common = { role, version, expires, daysLeft: Math.floor(leftMs / DAY_MS) };
    const online = ONLINE_WARNING_MS[role];
    if (leftMs > (online ?? OFFLINE_WARNING_MS)) return common;
    const when = leftMs > 0 ? `expires on ${expires.slice(0, 10)}` : `has expired on ${expires.slice(0, 10)}`;
    return { ...common, warning: `${role} ${version} ${when}: ${online === undefined ? RENEW : LOOK}` };
  });
}

/** What people have to renew soon. */
export function expiryWarnings(
  files: { readonly root: Uint8Array; readonly targets: Uint8Array },
  nowMs: number,
): readonly string[] {
  const { root, targets } = files;
  const expiries = expiriesOf(new Map(Object.entries({ root, targets })), nowMs);
  return expiries.flatMap(({ warning }) => (warning === undefined ? [] : [warning]));
}

const RENEW = 'renew it with `rollover trust renew`, or sites will refuse all updates';
const LOOK = 'the service does not renew it; read its log';
