// TUF metadata: types, and the strict parser from bytes (TUF 1.0.31, section 4). Parsing proves shape, never trust.
// Maps instead of objects wherever a name comes from outside, so that `__proto__` is a name like any other.
import { canonicalJson } from './encoding.ts';
import { signingError } from './errors.ts';
import type { PublicKey } from './keys.ts';
import { parseStrictJson } from './strict-json.ts';

export type TopRole = 'root' | 'timestamp' | 'snapshot' | 'targets';

/** Caps that hold before any signature is checked: a verification costs 0.1 ms, a hostile file could ask for millions. */
export const LIMITS = {
  rootBytes: 512 * 1024,
  timestampBytes: 16 * 1024,
  snapshotBytes: 4 * 1024 * 1024,
  targetsBytes: 64 * 1024 * 1024,
  signatures: 64,
  keys: 256,
  delegations: 4096,
  rootRotations: 1024,
  delegationDepth: 8,
  rolesVisited: 64,
} as const;

export interface RoleKeys {
  readonly keyids: ReadonlySet<string>;
  readonly threshold: number;
}

/** Length in bytes and SHA-256 of a file, as a parent role promises it. Either may be absent in a snapshot. */
export interface FileMeta {
  readonly version: number;
  readonly length?: number;
  readonly sha256?: string;
}

export interface TargetMeta {
  readonly length: number;
  readonly sha256: string;
  readonly custom?: unknown;
}

export interface DelegatedRole extends RoleKeys {
  readonly name: string;
  readonly terminating: boolean;
  readonly paths: readonly string[];
}

interface Common {
  readonly version: number;
  /** Milliseconds since 1970, UTC. */
  readonly expiresMs: number;
}

export interface Root extends Common {
  readonly type: 'root';
  readonly keys: ReadonlyMap<string, PublicKey>;
  readonly roles: ReadonlyMap<TopRole, RoleKeys>;
}

export interface Timestamp extends Common {
  readonly type: 'timestamp';
  readonly snapshot: FileMeta;
}

export interface Snapshot extends Common {
  readonly type: 'snapshot';
  readonly meta: ReadonlyMap<string, FileMeta>;
}

export interface Targets extends Common {
  readonly type: 'targets';
  readonly targets: ReadonlyMap<string, TargetMeta>;
  readonly keys: ReadonlyMap<string, PublicKey>;
  readonly delegations: readonly DelegatedRole[];
}

export type Metadata = Root | Timestamp | Snapshot | Targets;

/** A parsed file: the typed content, the bytes that were signed (canonical JSON), and the signatures over them. */
export interface SignedMetadata<T extends Metadata = Metadata> {
  readonly content: T;
  readonly signed: Buffer;
  readonly signatures: ReadonlyMap<string, Buffer>;
}

type Raw = Readonly<Record<string, unknown>>;

/**
 * Parses a metadata file of the given type.
 *
 * @throws `metadata-malformed` for anything that is not exactly such a file.
 */
export function parseMetadata<K extends Metadata['type']>(
  type: K,
  bytes: Uint8Array,
): SignedMetadata<Extract<Metadata, { type: K }>> {
  const file = `${type} metadata`;
  try {
    const envelope = object(parseStrictJson(bytes), file);
    const signed = object(envelope['signed'], 'signed');
    if (signed['_type'] !== type) throw new TypeError(`_type is ${JSON.stringify(signed['_type'])}`);
    if (!/^1\.\d+(\.\d+)?$/.test(text(signed['spec_version'], 'spec_version')))
      throw new TypeError('spec_version is not 1.x');
    const content = CONTENT[type](signed) as Extract<Metadata, { type: K }>;
    return { content, signed: canonicalJson(signed), signatures: signatures(envelope['signatures']) };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw signingError('metadata-malformed', `The ${file} cannot be read: ${why}.`, { cause });
  }
}

const CONTENT: { readonly [K in Metadata['type']]: (signed: Raw) => Metadata } = {
  root: signed => {
    const roles = object(signed['roles'], 'roles');
    const names = ['root', 'timestamp', 'snapshot', 'targets'] as const;
    return {
      type: 'root',
      ...common(signed),
      keys: keys(signed['keys']),
      roles: new Map(names.map(name => [name, roleKeys(object(roles[name], name))])),
    };
  },
  timestamp: signed => {
    const meta = object(signed['meta'], 'meta');
    return { type: 'timestamp', ...common(signed), snapshot: fileMeta(meta['snapshot.json'], 'snapshot.json') };
  },
  snapshot: signed => {
    const meta = Object.entries(object(signed['meta'], 'meta'));
    return { type: 'snapshot', ...common(signed), meta: new Map(meta.map(([k, v]) => [k, fileMeta(v, k)])) };
  },
  targets: signed => {
    const targets = Object.entries(object(signed['targets'], 'targets'));
    const delegations = signed['delegations'] === undefined ? undefined : object(signed['delegations'], 'delegations');
    return {
      type: 'targets',
      ...common(signed),
      targets: new Map(targets.map(([k, v]) => [k, targetMeta(v, k)])),
      keys: delegations ? keys(delegations['keys']) : new Map(),
      delegations: delegations ? list(delegations['roles'], 'roles', LIMITS.delegations).map(delegatedRole) : [],
    };
  },
};

function common(signed: Raw): Common {
  return { version: positive(signed['version'], 'version'), expiresMs: date(signed['expires']) };
}

function keys(value: unknown): ReadonlyMap<string, PublicKey> {
  const entries = Object.entries(object(value, 'keys'));
  if (entries.length > LIMITS.keys) throw new TypeError(`more than ${LIMITS.keys} keys`);
  return new Map(
    entries.map(([id, raw]) => {
      const key = object(raw, `key ${id}`);
      const value = text(object(key['keyval'], 'keyval')['public'], 'public');
      const publicKey = {
        keytype: text(key['keytype'], 'keytype'),
        scheme: text(key['scheme'], 'scheme'),
        keyval: { public: value },
      };
      return [id, publicKey];
    }),
  );
}

function roleKeys(raw: Raw): RoleKeys {
  const keyids = list(raw['keyids'], 'keyids', LIMITS.keys).map(id => text(id, 'keyid'));
  const unique = new Set(keyids);
  if (unique.size !== keyids.length) throw new TypeError('a key id is listed twice in one role');
  return { keyids: unique, threshold: positive(raw['threshold'], 'threshold') };
}

function delegatedRole(value: unknown): DelegatedRole {
  const raw = object(value, 'delegated role');
  const name = text(raw['name'], 'name');
  // The name becomes a file name; the top-level roles must not be shadowed (section 4.5).
  if (!/^[a-z0-9][a-z0-9._-]{0,127}$/i.test(name) || name in CONTENT) throw new TypeError(`role name ${name}`);
  return {
    name,
    ...roleKeys(raw),
    terminating: raw['terminating'] === true,
    paths: list(raw['paths'], 'paths', LIMITS.delegations).map(path => text(path, 'path')),
  };
}

function signatures(value: unknown): ReadonlyMap<string, Buffer> {
  const result = new Map<string, Buffer>();
  for (const item of list(value, 'signatures', LIMITS.signatures)) {
    const raw = object(item, 'signature');
    const keyid = text(raw['keyid'], 'keyid');
    if (result.has(keyid)) throw new TypeError(`two signatures by key ${keyid}`);
    const sig = text(raw['sig'], 'sig');
    if (!/^([0-9a-f]{2})*$/.test(sig)) throw new TypeError('a signature is not lower-case hexadecimal');
    result.set(keyid, Buffer.from(sig, 'hex'));
  }
  return result;
}

function fileMeta(value: unknown, name: string): FileMeta {
  const raw = object(value, name);
  const meta: { version: number; length?: number; sha256?: string } = { version: positive(raw['version'], 'version') };
  if (raw['length'] !== undefined) meta.length = size(raw['length'], 'length');
  if (raw['hashes'] !== undefined) meta.sha256 = digest(raw['hashes']);
  return meta;
}

function targetMeta(value: unknown, name: string): TargetMeta {
  const raw = object(value, `target ${name}`);
  const meta = { length: size(raw['length'], 'length'), sha256: digest(raw['hashes']) };
  return raw['custom'] === undefined ? meta : { ...meta, custom: raw['custom'] };
}

function digest(value: unknown): string {
  const sha256 = text(object(value, 'hashes')['sha256'], 'sha256');
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new TypeError('sha256 is not 64 lower-case hexadecimal digits');
  return sha256;
}

function date(value: unknown): number {
  const iso = text(value, 'expires');
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(iso) ? Date.parse(iso) : Number.NaN;
  if (Number.isNaN(ms)) throw new TypeError(`expires is not a UTC date: ${iso.slice(0, 40)}`);
  return ms;
}

function object(value: unknown, name: string): Raw {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError(`${name} is no object`);
  return value as Raw;
}

function list(value: unknown, name: string, most: number): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError(`${name} is no list`);
  if (value.length > most) throw new TypeError(`${name} has more than ${most} entries`);
  return value;
}

function text(value: unknown, name: string): string {
  if (typeof value !== 'string') throw new TypeError(`${name} is no text`);
  return value;
}

function positive(value: unknown, name: string): number {
  const number = size(value, name);
  if (number < 1) throw new TypeError(`${name} is not positive`);
  return number;
}

function size(value: unknown, name: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new TypeError(`${name} is no size`);
  return value as number;
}
