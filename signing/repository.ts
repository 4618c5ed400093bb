// Writes TUF metadata: pure edits of role documents, and the signing of them. Reading and trusting is `trust.ts`.
// Called by the release pipeline (root, targets, channels) and by the hosted service (snapshot, timestamp).

import type { DelegatedRole } from './delegations.ts';
import { canonicalJson, sha256Hex } from './encoding.ts';
import { keyIdOf, type PublicKey, type Signer } from './keys.ts';
import {
  type FileMeta,
  OFFLINE_SNAPSHOT_FIELD,
  type OfflineSnapshot,
  parseMetadata,
  type RootRole,
  type Targets,
  type TopRole,
} from './metadata.ts';
import type { RoleKeys } from './role-keys.ts';
import { parseStrictJson } from './strict-json.ts';

const SPEC_VERSION = '1.0.31';

/** The keys of a role and how many of them have to sign. */
export interface RolePolicy {
  readonly keys: readonly PublicKey[];
  readonly threshold: number;
}

export interface RoleDates {
  readonly version: number;
  /** Milliseconds since 1970, UTC; written in whole seconds. */
  readonly expiresMs: number;
}

/** A metadata file that is named by a parent role. */
export interface MetadataFile {
  readonly version: number;
  readonly bytes: Uint8Array;
}

export interface TargetEntry {
  readonly length: number;
  readonly sha256: string;
  readonly custom?: unknown;
}

/** How metadata names these bytes. */
export function targetEntryOf(bytes: Uint8Array): TargetEntry {
  return { length: bytes.length, sha256: sha256Hex(bytes) };
}

export interface Delegation extends RolePolicy {
  readonly name: string;
  readonly paths: readonly string[];
}

/** Signs a role document with every signer; the result is the file as it is published. */
export async function signMetadata(signed: object, signers: readonly Signer[]): Promise<Buffer> {
  const bytes = canonicalJson(signed);
  const signatures = new Map<string, Uint8Array>();
  for (const signer of signers) signatures.set(signer.keyId, await signer.sign(bytes));
  return metadataFile(signed, signatures);
}

/** A role document with signatures that were made elsewhere, by key id. */
export function metadataFile(signed: object, signatures: ReadonlyMap<string, Uint8Array>): Buffer {
  const list = [...signatures].map(([keyid, sig]) => ({ keyid, sig: Buffer.from(sig).toString('hex') }));
  return Buffer.from(JSON.stringify({ signatures: list, signed }));
}

/** Who holds which key, by key id: for people. Sites do not read it. */
export type SignerNames = ReadonlyMap<string, string>;

/** The field of root that {@link SignerNames} stand in; readers of TUF pass over fields they do not know (section 4.1). */
const NAMES_FIELD = 'x-rollover-signers';

/** Whom a root names for what. Without keys for the offline snapshot, media are good for as long as a timestamp. */
export type RootRoles = Readonly<Record<TopRole, RolePolicy> & Partial<Record<RootRole, RolePolicy>>>;

/** A root document: who signs which top-level role. Names are written for the keys that it lists. */
export function rootDocument(dates: RoleDates, roles: RootRoles, names: SignerNames = new Map()): object {
  const { 'offline-snapshot': offline, ...top } = roles;
  const keys = keyTable(Object.values(roles).flatMap(role => role.keys));
  const named = [...names].filter(([keyId]) => keyId in keys);
  return {
    _type: 'root',
    ...head(dates),
    consistent_snapshot: true,
    keys,
    roles: Object.fromEntries(Object.entries(top).map(([name, role]) => [name, keyList(role)])),
    ...(offline ? { [OFFLINE_SNAPSHOT_FIELD]: keyList(offline) } : {}),
    ...(named.length > 0 ? { [NAMES_FIELD]: Object.fromEntries(named) } : {}),
  };
}

/** An editable copy of a published root. */
export interface EditableRoot {
  readonly version: number;
  readonly expiresMs: number;
  readonly roles: RootRoles;
  readonly names: SignerNames;
}

/**
 * Reads a root file for editing. It proves nothing about its signatures.
 *
 * @throws `metadata-malformed`
 */
export function editRoot(bytes: Uint8Array): EditableRoot {
  const { content } = parseMetadata('root', bytes);
  const role = (name: RootRole) => policyOf(content.keys, content.roles.get(name) as RoleKeys);
  const offline = content.roles.has('offline-snapshot') ? { 'offline-snapshot': role('offline-snapshot') } : {};
  return {
    version: content.version,
    expiresMs: content.expiresMs,
    roles: {
      root: role('root'),
      targets: role('targets'),
      snapshot: role('snapshot'),
      timestamp: role('timestamp'),
      ...offline,
    },
    names: namesIn(bytes),
  };
}

function namesIn(file: Uint8Array): SignerNames {
  const names = (parseStrictJson(file) as { readonly signed: Record<string, unknown> }).signed[NAMES_FIELD];
  if (typeof names !== 'object' || names === null) return new Map();
  return new Map(Object.entries(names).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

/** A targets document: the files of this role, and the roles it delegates to, in order. */
export function targetsDocument(
  dates: RoleDates,
  targets: ReadonlyMap<string, TargetEntry>,
  delegations: readonly Delegation[] = [],
): object {
  const files = [...targets].sort(byName).map(([path, entry]) => [path, targetEntry(entry)] as const);
  const document = { _type: 'targets', ...head(dates), targets: Object.fromEntries(files) };
  if (delegations.length === 0) return document;
  return {
    ...document,
    delegations: {
      keys: keyTable(delegations.flatMap(delegation => delegation.keys)),
      roles: delegations.map(role => ({ name: role.name, ...keyList(role), terminating: true, paths: role.paths })),
    },
  };
}

/** A snapshot document over `files`, named without `.json`. Lengths and hashes are always written. */
export function snapshotDocument(dates: RoleDates, files: ReadonlyMap<string, MetadataFile>): object {
  const meta = [...files].sort(byName).map(([role, file]) => [`${role}.json`, fileMeta(file)] as const);
  return { _type: 'snapshot', ...head(dates), meta: Object.fromEntries(meta) };
}

/** An offline snapshot document: what it says, and what a snapshot lists. */
export function offlineSnapshotDocument({ version, expiresMs, ...content }: Omit<OfflineSnapshot, 'type'>): object {
  const meta = [...content.meta].sort(byName).map(([name, file]) => [name, listedMeta(file)] as const);
  return {
    _type: 'offline-snapshot',
    ...head({ version, expiresMs }),
    signed_at: seconds(content.signedMs),
    root: listedMeta(content.root),
    snapshot: content.snapshot,
    meta: Object.fromEntries(meta),
    after_expiry: { warn_days: content.grace.warnDays, restrict_days: content.grace.restrictDays },
  };
}

/** What is promised of a file, for a document that names it. */
export function promiseOf({ version, bytes }: MetadataFile): FileMeta {
  return { version, length: bytes.length, sha256: sha256Hex(bytes) };
}

/** A timestamp document that names one snapshot. */
export function timestampDocument(dates: RoleDates, snapshot: MetadataFile): object {
  return { _type: 'timestamp', ...head(dates), meta: { 'snapshot.json': fileMeta(snapshot) } };
}

/** An editable copy of a published targets file. */
export interface EditableTargets {
  readonly version: number;
  readonly expiresMs: number;
  readonly targets: Map<string, TargetEntry>;
  readonly delegations: readonly Delegation[];
}

/**
 * Reads a targets file for editing. It proves nothing about its signatures.
 *
 * @throws `metadata-malformed`
 */
export function editTargets(bytes: Uint8Array): EditableTargets {
  const { content } = parseMetadata('targets', bytes);
  return {
    version: content.version,
    expiresMs: content.expiresMs,
    // The narrow format has a SHA-256 of every target.
    targets: new Map(content.targets) as Map<string, TargetEntry>,
    delegations: content.delegations.map(role => delegation(content, role)),
  };
}

function delegation(content: Targets, role: DelegatedRole): Delegation {
  return { name: role.name, paths: role.paths, ...policyOf(content.keys, role) };
}

function policyOf(keys: ReadonlyMap<string, PublicKey>, role: RoleKeys): RolePolicy {
  const listed = [...role.keyids].map(id => keys.get(id)).filter(key => key !== undefined);
  return { keys: listed, threshold: role.threshold };
}

function head({ version, expiresMs }: RoleDates) {
  return { spec_version: SPEC_VERSION, version, expires: seconds(expiresMs) };
}

function seconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function keyTable(keys: readonly PublicKey[]) {
  return Object.fromEntries(keys.map(key => [keyIdOf(key), key]));
}

function keyList(role: RolePolicy) {
  return { keyids: role.keys.map(keyIdOf), threshold: role.threshold };
}

function targetEntry({ length, sha256, custom }: TargetEntry) {
  return { length, hashes: { sha256 }, ...(custom === undefined ? {} : { custom }) };
}

function fileMeta(file: MetadataFile) {
  return listedMeta(promiseOf(file));
}

function listedMeta({ version, length, sha256 }: FileMeta) {
  return { version, length, hashes: { sha256 } };
}

function byName(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}
