// What a proposal changes, in sentences for the people who are asked to sign it. Made from the proposed documents alone:
// nothing that the proposal says about itself is shown.
import {
  counted,
  type EditableRoot,
  type EditableTargets,
  editRoot,
  editTargets,
  keyIdOf,
  type PublicKey,
  parseMetadata,
  ROOT_ROLES,
  type SignerNames,
} from '../../signing/index.ts';
import { currentRoot, fingerprintOf, type Proposal } from './proposal.ts';
import { nameOf, namesIn } from './requirements.ts';

/** One line a change, each under the role whose file makes it. */
export function changesOf(proposal: Proposal): readonly string[] {
  const names = namesIn(proposal);
  const fingerprint = fingerprintOf(proposal);
  return [
    fingerprint
      ? `the repository whose root 1 has the SHA-256 ${fingerprint}`
      : 'a new repository: this is its first root',
    ...[...proposal.next].flatMap(([role, bytes]) => {
      if (role === 'root') return rootChanges(currentRoot(proposal), bytes, names);
      if (role === 'offline-snapshot') return offlineSnapshotChanges(proposal.published.get(role), bytes);
      return targetsChanges(role, proposal.published.get(role), bytes, names);
    }),
  ];
}

function rootChanges(current: Buffer | undefined, next: Buffer, names: SignerNames): readonly string[] {
  const [before, after] = [current && editRoot(current), editRoot(next)];
  return [
    versions('root', before, after),
    ...ROOT_ROLES.flatMap(role => {
      const [old, now] = [before?.roles[role], after.roles[role]];
      const changes = keyChanges(old?.keys ?? [], now?.keys ?? [], names);
      const threshold =
        old?.threshold === now?.threshold
          ? []
          : [`threshold ${old?.threshold ?? 'none'} → ${now?.threshold ?? 'none'}`];
      return [...changes, ...threshold].map(change => `root ${after.version}, ${role} role: ${change}`);
    }),
    ...nameChanges(before, after).map(change => `root ${after.version}: ${change}`),
  ];
}

function targetsChanges(
  role: string,
  current: Buffer | undefined,
  next: Buffer,
  names: SignerNames,
): readonly string[] {
  const [before, after] = [current && editTargets(current), editTargets(next)];
  const changes = [...targetChanges(before, after), ...delegationChanges(before, after, names)];
  return [versions(role, before, after), ...changes.map(change => `${role} ${after.version}: ${change}`)];
}

function offlineSnapshotChanges(current: Buffer | undefined, next: Buffer): readonly string[] {
  const read = (bytes: Buffer) => parseMetadata('offline-snapshot', bytes).content;
  const [before, after] = [current && read(current), read(next)];
  const { version, signedMs, root, snapshot, meta, grace } = after;
  const roles = [...meta].map(
    ([name, file]) => `${name.replace(/\.json$/, '')} ${file.version} (SHA-256 ${file.sha256})`,
  );
  const says = [
    `states what is published on ${day(signedMs)}`,
    `names root ${root.version} (SHA-256 ${root.sha256}) as the newest`,
    `names snapshot ${snapshot}`,
    ...roles.map(role => `lists ${role}`),
    `after its expiry: ${counted(grace.warnDays, 'day')} with a warning, ${counted(grace.restrictDays, 'day')} restricted`,
  ];
  return [versions('offline-snapshot', before, after), ...says.map(line => `offline-snapshot ${version}: ${line}`)];
}

interface Dated {
  readonly version: number;
  readonly expiresMs: number;
}

function versions(role: string, before: Dated | undefined, after: Dated): string {
  const was = before ? `, ${role} ${before.version} expires ${day(before.expiresMs)}` : '';
  return `${role} ${after.version}: expires ${day(after.expiresMs)}${was}`;
}

function keyChanges(before: readonly PublicKey[], after: readonly PublicKey[], names: SignerNames): readonly string[] {
  const ids = (keys: readonly PublicKey[]) => new Set(keys.map(keyIdOf));
  const [old, now] = [ids(before), ids(after)];
  const said = (verb: string, key: PublicKey) => `${verb} ${nameOf(key, names)} (${key.scheme}, key ${keyIdOf(key)})`;
  return [
    ...before.filter(key => !now.has(keyIdOf(key))).map(key => said('without', key)),
    ...after.filter(key => !old.has(keyIdOf(key))).map(key => said('with', key)),
  ];
}

/** A key that stays may be given another name: a way to make a stranger look like a colleague. */
function nameChanges(before: EditableRoot | undefined, after: EditableRoot): readonly string[] {
  return [...after.names].flatMap(([keyId, name]) => {
    const old = before?.names.get(keyId);
    return old === undefined || old === name ? [] : [`the key ${keyId} of ${old} is called ${name} from now on`];
  });
}

function targetChanges(before: EditableTargets | undefined, after: EditableTargets): readonly string[] {
  const old = before?.targets ?? new Map<string, unknown>();
  const changed = [...after.targets].filter(([path, entry]) => JSON.stringify(old.get(path)) !== JSON.stringify(entry));
  const removed = [...old.keys()].filter(path => !after.targets.has(path));
  return [
    ...changed.map(([path, { sha256 }]) => `${old.has(path) ? 'changes' : 'adds'} ${path} (SHA-256 ${sha256})`),
    ...removed.map(path => `removes ${path}`),
  ];
}

function delegationChanges(
  before: EditableTargets | undefined,
  after: EditableTargets,
  names: SignerNames,
): readonly string[] {
  const old = new Map(before?.delegations.map(delegation => [delegation.name, delegation]));
  const now = new Set(after.delegations.map(delegation => delegation.name));
  const kept = after.delegations.flatMap(delegation => {
    const { name, paths, keys, threshold } = delegation;
    const was = old.get(name);
    const about = `delegation ${name}`;
    return [
      ...(was?.paths.join() === paths.join() ? [] : [`${about}: signs ${paths.join(', ')}`]),
      ...(was?.threshold === threshold ? [] : [`${about}: threshold ${was?.threshold ?? 'none'} → ${threshold}`]),
      ...keyChanges(was?.keys ?? [], keys, names).map(change => `${about}: ${change}`),
    ];
  });
  return [...kept, ...[...old.keys()].filter(name => !now.has(name)).map(name => `no delegation ${name} any more`)];
}

/** A date as people say it, UTC. */
export function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
