// What can happen to a TUF repository from one visit to the next, honest and hostile, as data: a name, and what it does with two
// numbers that a generator draws. Every change starts from a repository in order.
import { generateKeyPairSync } from 'node:crypto';
import { generateSigningKey, type Signer, sha256Hex, signerOf } from '../../signing/index.ts';
import { type RawDelegation, RawRepository } from './raw-repository.ts';

const DAY_MS = 24 * 3600_000;
const TOP = ['root', 'timestamp', 'snapshot', 'targets'] as const;
const BELOW = ['a', 'b', 'c'] as const;
const LISTED = ['targets', ...BELOW] as const;
const ALL = [...BELOW, 'targets', 'snapshot', 'timestamp'] as const;

/** Paths that are looked up after each visit. */
export const PATHS = ['file', 'a/file', 'a/c1', 'b/file', 'a/b/file', 'c', 'deep/a/c1', 'missing'] as const;

/** Keys of every kind that both clients know. A stranger's is never trusted. */
const POOL: readonly Signer[] = [
  ...Array.from({ length: 5 }, () => signerOf(generateSigningKey())),
  signerOf(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey),
  signerOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
];
const STRANGER = signerOf(generateSigningKey());

export interface World {
  readonly repository: RawRepository;
  /** What earlier visits were served. */
  readonly past: readonly RawRepository['files'][];
  readonly nowMs: number;
}

/** May return what is served when that is not what the repository holds. */
type Change = (world: World, x: number, y: number) => Promise<unknown>;

export const CHANGES: Readonly<Record<string, Change>> = {
  async 'new content'({ repository }, x, y) {
    const role = pick(LISTED, x);
    repository.role(role).targets.set(pick(PATHS, y), Buffer.from(`${role} ${x} ${y}`));
    await repository.publish(role, 'snapshot', 'timestamp');
  },
  async 'a new role of keys'({ repository }, x, y) {
    await rotate(repository, pick(TOP, x), chosen(y), 1 + (y % 2));
  },
  async 'a threshold that the signers miss by one'({ repository }, x, y) {
    const role = pick(TOP.slice(1), x);
    const keys = chosen(y);
    await rotate(repository, role, keys, keys.length, keys.slice(1));
  },
  async 'a threshold beyond the keys'({ repository }, x, y) {
    const keys = chosen(y);
    await rotate(repository, pick(TOP, x), keys, keys.length + 1);
  },
  async 'a root that the old keys have not signed'({ repository }) {
    repository.trusted.root = { keys: [STRANGER], threshold: 1 };
    repository.role('root').signers = [STRANGER];
    await repository.publish('root', ...ALL);
  },
  async 'a root that skips a version'({ repository }) {
    const name = (version: number) => `metadata/${version}.root.json`;
    repository.role('root').version++;
    await repository.publish('root');
    const { version } = repository.role('root');
    repository.files.set(name(version - 1), repository.files.get(name(version)) as Uint8Array);
  },
  async 'signed by a stranger'({ repository }, x) {
    const role = pick([...TOP.slice(1), ...BELOW], x);
    repository.role(role).signers = [STRANGER];
    await repository.publish(...ALL);
  },
  async 'signed by a stranger as well'({ repository }, x) {
    const role = repository.role(pick([...TOP, ...BELOW], x));
    role.signers = [STRANGER, ...role.signers];
    await repository.publish('root', ...ALL);
  },
  async expired({ repository, nowMs }, x) {
    repository.role(pick([...TOP, ...BELOW], x)).expiresMs = nowMs - DAY_MS;
    await repository.publish('root', ...ALL);
  },
  async 'a version back'({ repository }, x, y) {
    const role = repository.role(pick(ALL, x));
    role.version = Math.max(0, role.version - 2 - (y % 3));
    await repository.publish(...ALL);
  },
  async 'versions ahead'({ repository }, x, y) {
    repository.role(pick(ALL, x)).version += 1 + (y % 5);
    await repository.publish(...ALL);
  },
  async 'everything as it once was'({ past }, x) {
    return pick(past, x);
  },
  async 'everything but the roots as it once was'({ repository, past }, x) {
    const roots = [...repository.files].filter(([path]) => path.endsWith('.root.json'));
    return new Map([...pick(past, x), ...roots]);
  },
  async 'one file as it once was'({ repository }, x) {
    const before = repository.copy();
    await repository.publish(...ALL);
    const role = pick(ALL, x);
    const path = (of: RawRepository) => [...of.files.keys()].findLast(name => name.endsWith(`${role}.json`)) as string;
    return new Map(repository.files).set(path(repository), before.files.get(path(before)) as Uint8Array);
  },
  async 'another version promised'({ repository }, x, y) {
    const role = pick(LISTED, x);
    await repository.publish(role);
    const meta = repository.listed.get(role) as { version: number };
    repository.listed.set(role, { ...meta, version: Math.max(1, meta.version + (y % 3) - 1) });
    await repository.publish('snapshot', 'timestamp');
  },
  async 'another digest or length promised'({ repository }, x, y) {
    const wrong = y % 2 === 0 ? { length: 10 + y } : { hashes: { sha256: sha256Hex(`${y}`) } };
    const role = pick([...LISTED, 'snapshot'], x);
    if (role !== 'snapshot') {
      await repository.publish(role);
      repository.listed.set(role, { ...(repository.listed.get(role) as { version: number }), ...wrong });
    }
    await repository.publish('snapshot');
    if (role === 'snapshot') repository.snapshotMeta = { ...repository.snapshotMeta, ...wrong };
    await repository.publish('timestamp');
  },
  async 'a role no longer listed'({ repository }, x) {
    repository.listed.delete(pick(LISTED, x));
    await repository.publish('snapshot', 'timestamp');
  },
  async 'a file altered'({ repository }, x) {
    await repository.publish(...ALL);
    const path = newest(repository, pick(ALL, x));
    const text = Buffer.from(repository.files.get(path) as Uint8Array).toString();
    return new Map(repository.files).set(path, Buffer.from(text.replace('"1.0.31"', '"1.0.32"')));
  },
  async 'a file written in another way'({ repository }, x) {
    await repository.publish(...ALL);
    const path = newest(repository, pick(ALL, x));
    const { signed, signatures } = JSON.parse(Buffer.from(repository.files.get(path) as Uint8Array).toString());
    return new Map(repository.files).set(path, Buffer.from(JSON.stringify({ signed, signatures }, null, 1)));
  },
  async 'a file missing'({ repository }, x) {
    await repository.publish(...ALL);
    const files = new Map(repository.files);
    files.delete(newest(repository, pick(ALL, x)));
    return files;
  },
  async 'targets altered'({ repository }, x) {
    const altered = (path: string, i: number) => path.startsWith('targets/') && i % 2 === x % 2;
    return new Map(
      [...repository.files].map(([path, bytes], i) => [path, altered(path, i) ? Buffer.from('x') : bytes]),
    );
  },
  async 'unknown fields'({ repository }, x) {
    repository.role(pick([...TOP, ...BELOW], x)).fields = { 'x-unknown': { a: [x, 'ü"\\'], b: null } };
    await repository.publish('root', ...ALL);
  },
  async 'other digests'({ repository }, x) {
    repository.algorithms = pick([[], ['sha256'], ['sha512'], ['sha256', 'sha512']], x);
    await repository.publish(...ALL);
  },
  async 'names with or without versions'({ repository }) {
    repository.consistent = !repository.consistent;
    await repository.publish('root', ...ALL);
  },
  async 'other delegations'({ repository }, x, y) {
    repository.role('targets').delegations = delegations(x);
    repository.role('a').delegations = delegations(y);
    await repository.publish(...ALL);
  },
  async 'a delegation to a stranger'({ repository }, x, y) {
    const role = repository.role(pick(['targets', 'a'], x));
    role.delegations = role.delegations.map((child, i) => (i === y % 2 ? { ...child, keys: [STRANGER] } : child));
    await repository.publish(...ALL);
  },
  async 'hash bins'({ repository, nowMs }, x) {
    const bits = 1 + (x % 3);
    const names = Array.from({ length: 2 ** bits }, (_, bin) => `bin-${bin.toString(16)}`);
    for (const name of names) {
      const role = repository.roles.get(name) ?? repository.addRole(name, [pick(POOL, 0)]);
      role.expiresMs = nowMs + DAY_MS;
      for (const path of PATHS) role.targets.set(path, Buffer.from(`${name} ${path}`));
    }
    repository.role('targets').bins = { name_prefix: 'bin', bit_length: bits, keys: [pick(POOL, 0)] };
    await repository.publish(...names, ...ALL);
  },
};

/** A repository with three delegated roles, one of them reached in two ways. */
export async function newWorldRepository(nowMs: number): Promise<RawRepository> {
  const repository = new RawRepository(pick(POOL, 0), nowMs);
  for (const name of BELOW) repository.addRole(name, [pick(POOL, 1)]);
  putInOrder(repository, nowMs);
  repository.role('targets').delegations = delegations(0);
  repository.role('a').delegations = delegations(1);
  repository.role('targets').targets.set('file', Buffer.from('top'));
  for (const name of BELOW)
    for (const path of PATHS.slice(1, -1)) repository.role(name).targets.set(path, Buffer.from(name));
  await repository.publish('root', ...ALL);
  return repository;
}

/** Ends what was wrong: every role is signed by whom it should be, and lives. */
export function putInOrder(repository: RawRepository, nowMs: number): void {
  for (const [name, role] of repository.roles) {
    role.expiresMs = nowMs + DAY_MS;
    role.fields = {};
    const top = repository.trusted[name as (typeof TOP)[number]];
    role.signers = top ? top.keys : name.startsWith('bin') ? [pick(POOL, 0)] : [pick(POOL, 1)];
  }
  delete repository.role('targets').bins;
}

/** A root that names other keys for a role, signed by the old root keys and the new ones. */
async function rotate(
  repository: RawRepository,
  role: (typeof TOP)[number],
  keys: readonly Signer[],
  threshold: number,
  signers = keys,
): Promise<void> {
  const before = repository.trusted.root.keys;
  repository.trusted[role] = { keys, threshold };
  repository.role(role).signers = signers;
  const root = repository.role('root');
  root.signers = [...new Set([...before, ...root.signers])];
  await repository.publish('root', ...ALL);
}

function delegations(x: number): readonly RawDelegation[] {
  const keys = [pick(POOL, 1)];
  const shapes: readonly (readonly RawDelegation[])[] = [
    [
      { name: 'a', keys, paths: ['a/*', 'a/*/*', 'deep/*/c?'] },
      { name: 'b', keys, paths: ['b/*', 'a/b/*'] },
    ],
    [{ name: 'c', keys, paths: ['a/c*', 'c', '?/c1'] }],
    [
      { name: 'a', keys, paths: ['*'], terminating: true },
      { name: 'b', keys, paths: ['*', '*/*', '*/*/*'] },
    ],
    [
      { name: 'b', keys, paths: ['*/*'], terminating: true },
      { name: 'c', keys, path_hash_prefixes: ['', 'a'] },
    ],
    [{ name: 'c', keys, path_hash_prefixes: ['0', '1', '2', '3', '4', '5', '6', '7'] }],
    [
      { name: 'b', keys, paths: ['a/f*e', 'missin?', 'a/b/**'] },
      { name: 'a', keys, paths: ['*/*', 'c'] },
    ],
    [{ name: 'a', keys, paths: [] }],
    [],
  ];
  return pick(shapes, x);
}

function newest(repository: RawRepository, role: string): string {
  return [...repository.files.keys()].findLast(path => path.endsWith(`${role}.json`)) as string;
}

/** One to three keys. */
function chosen(x: number): readonly Signer[] {
  return Array.from({ length: 1 + (x % 3) }, (_, i) => pick(POOL, x + i));
}

function pick<T>(items: readonly T[], x: number): T {
  return items[x % items.length] as T;
}
