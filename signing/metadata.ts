// TUF metadata: types, and the strict parser from bytes (TUF 1.0.31, section 4). Parsing proves shape, never trust.
// Maps instead of objects wherever a name comes from outside, so that `__proto__` is a name like any other.
import { type Delegations, delegations } from './delegations.ts';
import { type Digests, digests, isProvable } from './digests.ts';
import { canonicalJson } from './encoding.ts';
import { signingError } from './errors.ts';
import { date, entries, type Fields, flag, list, object, positive, size, text } from './fields.ts';
import type { PublicKey } from './keys.ts';
import { LIMITS } from './limits.ts';
import type { MetadataFormat } from './policy.ts';
import { keyTable, type RoleKeys, roleKeys } from './role-keys.ts';
import { parseStrictJson } from './strict-json.ts';

export const TOP_ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;

export type TopRole = (typeof TOP_ROLES)[number];

/** Whom root may name: the roles of the specification, and one of ours that it may leave out. */
export const ROOT_ROLES = [...TOP_ROLES, 'offline-snapshot'] as const;

export type RootRole = (typeof ROOT_ROLES)[number];

/** The field of root that names who signs the offline snapshot: others pass over fields they do not know (section 4.1). */
export const OFFLINE_SNAPSHOT_FIELD = 'x-rollover-offline-snapshot';

/** What a parent role promises of a metadata file. Only the version has to be there. */
export interface FileMeta extends Digests {
  readonly version: number;
  readonly length?: number;
}

export interface TargetMeta extends Digests {
  readonly length: number;
  readonly custom?: unknown;
}

interface Common {
  readonly version: number;
  /** Milliseconds since 1970, UTC. */
  readonly expiresMs: number;
}

export interface Root extends Common {
  readonly type: 'root';
  /** Whether the names of files carry their version or digest (section 6.2). */
  readonly consistentSnapshot: boolean;
  readonly keys: ReadonlyMap<string, PublicKey>;
  readonly roles: ReadonlyMap<RootRole, RoleKeys>;
}

export interface Timestamp extends Common {
  readonly type: 'timestamp';
  readonly snapshot: FileMeta;
}

export interface Snapshot extends Common {
  readonly type: 'snapshot';
  readonly meta: ReadonlyMap<string, FileMeta>;
}

/** What a cut-off site goes by instead of timestamp and snapshot: long valid, and signed by people (Uptane PURE-2). */
export interface OfflineSnapshot extends Common {
  readonly type: 'offline-snapshot';
  /** When it was signed, in milliseconds since 1970. */
  readonly signedMs: number;
  /** The newest root of that moment. */
  readonly root: FileMeta;
  /** The online snapshot of that moment, for people. */
  readonly snapshot: number;
  readonly meta: ReadonlyMap<string, FileMeta>;
  /** What is allowed after its expiry, in days: first all with a warning, then only what brings in no new version. */
  readonly grace: Grace;
}

export interface Grace {
  readonly warnDays: number;
  readonly restrictDays: number;
}

export interface Targets extends Common, Delegations {
  readonly type: 'targets';
  readonly targets: ReadonlyMap<string, TargetMeta>;
}

export type Metadata = Root | Timestamp | Snapshot | OfflineSnapshot | Targets;

/** A parsed file: the typed content, the bytes that were signed (canonical JSON), and the signatures over them. */
export interface SignedMetadata<T extends Metadata = Metadata> {
  readonly content: T;
  readonly signed: Buffer;
  readonly signatures: ReadonlyMap<string, Buffer>;
}

/**
 * Parses a metadata file of the given type. Unknown fields are kept in what was signed and otherwise passed over (section 4).
 *
 * @throws `metadata-malformed` for anything that is not exactly such a file.
 */
export function parseMetadata<K extends Metadata['type']>(
  type: K,
  bytes: Uint8Array,
  format: MetadataFormat = 'narrow',
): SignedMetadata<Extract<Metadata, { type: K }>> {
  const file = `${type} metadata`;
  try {
    const envelope = object(parseStrictJson(bytes), file);
    const signed = object(envelope['signed'], 'signed');
    if (signed['_type'] !== type) throw new TypeError(`_type is ${JSON.stringify(signed['_type'])}`);
    if (!/^1\.\d+(\.\d+)?$/.test(text(signed['spec_version'], 'spec_version')))
      throw new TypeError('spec_version is not 1.x');
    const content = CONTENT[type](signed, format) as Extract<Metadata, { type: K }>;
    return { content, signed: canonicalJson(signed), signatures: signatures(envelope['signatures']) };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw signingError('metadata-malformed', `The ${file} cannot be read: ${why}.`, { cause });
  }
}

/**
 * Parses a file of a role that people sign: root, the offline snapshot, targets, or a role that targets delegates to. Snapshot
 * and timestamp are none.
 *
 * @throws `metadata-malformed`
 */
export function parseOfflineRole(role: string, bytes: Uint8Array): SignedMetadata<Root | OfflineSnapshot | Targets> {
  if (role === 'root') return parseMetadata('root', bytes);
  return role === 'offline-snapshot' ? parseMetadata('offline-snapshot', bytes) : parseMetadata('targets', bytes);
}

const CONTENT: { readonly [K in Metadata['type']]: (signed: Fields, format: MetadataFormat) => Metadata } = {
  root: signed => {
    const roles = object(signed['roles'], 'roles');
    const offline = signed[OFFLINE_SNAPSHOT_FIELD];
    return {
      type: 'root',
      ...common(signed),
      consistentSnapshot: flag(signed['consistent_snapshot'] ?? true, 'consistent_snapshot'),
      keys: keyTable(signed['keys']),
      roles: new Map<RootRole, RoleKeys>([
        ...TOP_ROLES.map(name => [name, roleKeys(object(roles[name], name))] as const),
        ...(offline === undefined
          ? []
          : [['offline-snapshot', roleKeys(object(offline, OFFLINE_SNAPSHOT_FIELD))] as const]),
      ]),
    };
  },
  timestamp: (signed, format) => {
    const meta = object(signed['meta'], 'meta');
    const snapshot = fileMeta(meta['snapshot.json'], 'snapshot.json', format);
    return { type: 'timestamp', ...common(signed), snapshot };
  },
  snapshot: (signed, format) => ({ type: 'snapshot', ...common(signed), meta: fileMetas(signed, format) }),
  'offline-snapshot': (signed, format) => ({
    type: 'offline-snapshot',
    ...common(signed),
    signedMs: date(signed['signed_at'], 'signed_at'),
    root: fileMeta(signed['root'], 'root', format),
    snapshot: positive(signed['snapshot'], 'snapshot'),
    meta: fileMetas(signed, format),
    grace: grace(object(signed['after_expiry'], 'after_expiry')),
  }),
  targets: (signed, format) => {
    const targets = entries(object(signed['targets'], 'targets'), (value, name) => targetMeta(value, name, format));
    return { type: 'targets', ...common(signed), targets, ...delegations(signed['delegations'], format) };
  },
};

function common(signed: Fields): Common {
  return { version: positive(signed['version'], 'version'), expiresMs: date(signed['expires'], 'expires') };
}

/** A key id signs once (section 4.2.1). A signature that is no hexadecimal is nobody's: others may still be enough. */
function signatures(value: unknown): ReadonlyMap<string, Buffer> {
  const result = new Map<string, Buffer>();
  for (const item of list(value, 'signatures', LIMITS.signatures)) {
    const raw = object(item, 'signature');
    const keyid = text(raw['keyid'], 'keyid');
    if (result.has(keyid)) throw new TypeError(`two signatures by key ${keyid}`);
    const sig = text(raw['sig'], 'sig');
    result.set(keyid, Buffer.from(/^([0-9a-f]{2})*$/i.test(sig) ? sig : '', 'hex'));
  }
  return result;
}

function fileMetas(signed: Fields, format: MetadataFormat): ReadonlyMap<string, FileMeta> {
  return entries(object(signed['meta'], 'meta'), (value, name) => fileMeta(value, name, format));
}

function grace(raw: Fields): Grace {
  const days = {
    warnDays: size(raw['warn_days'], 'warn_days'),
    restrictDays: size(raw['restrict_days'], 'restrict_days'),
  };
  if (days.warnDays + days.restrictDays > LIMITS.graceDays)
    throw new TypeError(`more than ${LIMITS.graceDays} days of grace`);
  return days;
}

function fileMeta(value: unknown, name: string, format: MetadataFormat): FileMeta {
  const raw = object(value, name);
  const version = positive(raw['version'], 'version');
  const promised = raw['hashes'] === undefined ? {} : digests(raw['hashes'], format);
  // Digests that we cannot check must not pass for none.
  if (raw['hashes'] !== undefined && !isProvable(promised)) throw new TypeError(`no known digest of ${name}`);
  return raw['length'] === undefined
    ? { version, ...promised }
    : { version, length: size(raw['length'], 'length'), ...promised };
}

function targetMeta(value: unknown, name: string, format: MetadataFormat): TargetMeta {
  const raw = object(value, name);
  const meta = { length: size(raw['length'], 'length'), ...digests(raw['hashes'], format) };
  return raw['custom'] === undefined ? meta : { ...meta, custom: raw['custom'] };
}
