// To whom a targets role delegates which paths (TUF 1.0.31, section 4.5; hash bins are TAP 15). Pure questions about one
// document; the walk from document to document is `lookup.ts`.
import { sha256, sha256Hex } from './encoding.ts';
import { type Fields, flag, list, object, positive, text } from './fields.ts';
import type { PublicKey } from './keys.ts';
import { LIMITS } from './limits.ts';
import type { MetadataFormat } from './policy.ts';
import { keyTable, type RoleKeys, roleKeys } from './role-keys.ts';

/** One delegated role. A path is its own when a pattern matches it or when its digest starts with a prefix. */
export interface DelegatedRole extends RoleKeys {
  readonly name: string;
  readonly terminating: boolean;
  readonly paths: readonly string[];
  readonly pathHashPrefixes: readonly string[];
}

/** 2^bitLength terminating roles with the same keys, over which all paths are spread by their digest. */
export interface HashBins extends RoleKeys {
  readonly prefix: string;
  readonly bitLength: number;
}

/** What a targets document says about its delegations. */
export interface Delegations {
  readonly keys: ReadonlyMap<string, PublicKey>;
  /** In the order of trust. */
  readonly delegations: readonly DelegatedRole[];
  readonly bins?: HashBins;
}

/** @throws TypeError */
export function delegations(value: unknown, format: MetadataFormat): Delegations {
  if (value === undefined) return { keys: new Map(), delegations: [] };
  const raw = object(value, 'delegations');
  const keys = keyTable(raw['keys']);
  if (raw['succinct_roles'] !== undefined) {
    if (format === 'narrow' || raw['roles'] !== undefined) throw new TypeError('hash bins are not expected here');
    return { keys, delegations: [], bins: hashBins(object(raw['succinct_roles'], 'succinct_roles')) };
  }
  const roles = list(raw['roles'], 'roles', LIMITS.delegations).map(role => delegatedRole(role, format));
  if (new Set(roles.map(role => role.name)).size !== roles.length) throw new TypeError('a role is delegated to twice');
  return { keys, delegations: roles };
}

/** The roles that may speak about `path`, in the order of trust. */
export function delegatesFor(
  document: Delegations,
  path: string,
): readonly Pick<DelegatedRole, 'name' | 'terminating'>[] {
  const { bins } = document;
  if (bins) return [{ name: binName(bins, binOf(bins, path)), terminating: true }];
  const pathDigest = sha256Hex(path);
  return document.delegations.filter(
    role =>
      role.paths.some(pattern => pathMatches(pattern, path)) ||
      role.pathHashPrefixes.some(prefix => pathDigest.startsWith(prefix)),
  );
}

/** What `role` has to be signed with on the word of this document; undefined when it does not delegate to it. */
export function delegationTo({ delegations, bins }: Delegations, role: string): RoleKeys | undefined {
  return bins && isBin(bins, role) ? bins : delegations.find(child => child.name === role);
}

/** The roles that this document delegates to; of hash bins, which may be billions, those that are `listed`. */
export function delegatedNames({ delegations, bins }: Delegations, listed: readonly string[]): readonly string[] {
  return bins ? listed.filter(role => isBin(bins, role)) : delegations.map(role => role.name);
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
    } else if (pattern[p] === '?' || pattern[p] === text[t]) {
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

/** TAP 15: the first bits of the digest of the path say the bin. */
function binOf({ bitLength }: HashBins, path: string): number {
  return sha256(path).readUInt32BE() >>> (MOST_BIN_BITS - bitLength);
}

function isBin(bins: HashBins, role: string): boolean {
  const suffix = role.slice(bins.prefix.length + 1);
  const bin = Number.parseInt(suffix, 16);
  return bin >= 0 && bin < 2 ** bins.bitLength && binName(bins, bin) === role;
}

function binName({ prefix, bitLength }: HashBins, bin: number): string {
  return `${prefix}-${bin.toString(16).padStart(Math.ceil(bitLength / 4), '0')}`;
}

function delegatedRole(value: unknown, format: MetadataFormat): DelegatedRole {
  const raw = object(value, 'delegated role');
  const name = text(raw['name'], 'name');
  requireRoleName(name, format);
  const byHash = raw['path_hash_prefixes'] !== undefined;
  if (byHash && (format === 'narrow' || raw['paths'] !== undefined))
    throw new TypeError(`two ways to say what ${name} is for`);
  return {
    name,
    ...roleKeys(raw),
    terminating: flag(raw['terminating'], 'terminating'),
    paths: byHash ? [] : texts(raw['paths'], 'paths'),
    pathHashPrefixes: byHash ? texts(raw['path_hash_prefixes'], 'path_hash_prefixes') : [],
  };
}

const MOST_BIN_BITS = 32;

function hashBins(raw: Fields): HashBins {
  const bitLength = positive(raw['bit_length'], 'bit_length');
  if (bitLength > MOST_BIN_BITS) throw new TypeError(`bit_length is more than ${MOST_BIN_BITS}`);
  const prefix = text(raw['name_prefix'], 'name_prefix');
  const bins = { ...roleKeys(raw), bitLength, prefix };
  requireRoleName(binName(bins, 0), 'full');
  return bins;
}

/** The name becomes a file name; the top-level roles must not be shadowed (section 4.5). */
function requireRoleName(name: string, format: MetadataFormat): void {
  const form = format === 'narrow' ? /^[a-z0-9][a-z0-9._-]{0,127}$/i : /^.{1,128}$/s;
  if (!form.test(name) || /^(root|timestamp|snapshot|targets)$/.test(name)) throw new TypeError(`role name ${name}`);
}

function texts(value: unknown, name: string): readonly string[] {
  return list(value, name, LIMITS.delegations).map(item => text(item, name));
}
