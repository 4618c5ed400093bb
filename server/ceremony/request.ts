// Makes proposals: what the next root and the targets roles look like after the changes that were asked for. Pure: what is
// published is handed in, and writing the file is the caller's.
import { targetPaths } from '../../bundles/index.ts';
import {
  counted,
  editRoot,
  editTargets,
  keyIdOf,
  metadataFile,
  type PublicKey,
  ROOT_ROLES,
  type RolePolicy,
  type RootRoles,
  rootDocument,
  type TargetEntry,
  targetEntryOf,
  targetsDocument,
} from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import type { OfflineRole } from '../pipeline/vendor-keys.ts';
import type { OnlineKeys } from '../trust/setup.ts';
import type { Proposal } from './proposal.ts';
import type { PublishedRoles } from './published-roles.ts';
import { isMet, perClass, requirementsOf } from './requirements.ts';
import type { SignerCard } from './signer-card.ts';

/** What somebody asks for. */
export interface Request {
  readonly add: Readonly<Partial<Record<OfflineRole, readonly SignerCard[]>>>;
  /** Names of signers. */
  readonly remove: Readonly<Partial<Record<OfflineRole, readonly string[]>>>;
  readonly thresholds: Readonly<Partial<Record<OfflineRole, number>>>;
  /** Roles whose expiry is renewed, also where nothing else about them changes. */
  readonly renew: readonly ('root' | 'targets')[];
  readonly expiresMs: number;
}

/** Of a role that nobody has signed for yet. */
const NOBODY: RolePolicy = { keys: [], threshold: 1 };

/**
 * Proposes the changes that were asked for. Targets and the channels are proposed again where the change needs it: they list
 * their keys themselves, and a channel has to be signed by enough of the keys that stay.
 *
 * @param online the service's new online keys, to rotate them
 * @throws `signer-unknown`, `config-invalid` for a request that changes nothing or a threshold that nobody could reach
 */
export function proposeNext(
  published: PublishedRoles,
  request: Request,
  online: Partial<OnlineKeys>,
  createdAt: string,
): Proposal {
  const current = editRoot(published.roots.at(-1) as Buffer);
  const names = new Map(current.names);
  const roles = { ...current.roles, ...offlineRoles(current.roles, names, request), ...onlineRoles(online) };
  const changesRoot =
    ROOT_ROLES.some(role => !samePolicy(roles[role], current.roles[role])) || request.renew.includes('root');
  const keySets = keySetEntries(online);
  const changesTargets =
    !samePolicy(roles.targets, current.roles.targets) || request.renew.includes('targets') || keySets.size > 0;
  if (!changesRoot && !changesTargets) throw serverError('config-invalid', 'The request changes nothing.');

  const next = new Map<string, Buffer>();
  const dates = { version: current.version + 1, expiresMs: request.expiresMs };
  if (changesRoot) next.set('root', unsigned(rootDocument(dates, roles, names)));
  const proposal = { createdAt, roots: published.roots, published: new Map(), next, objects: new Map() };
  return changesTargets ? withTargets(proposal, published.targets, roles.targets, keySets, request) : proposal;
}

/** The first root and targets of a service that has none. @throws `config-invalid` */
export function proposeFirst(request: Request, online: OnlineKeys, createdAt: string): Proposal {
  const names = new Map<string, string>();
  const roles = { ...offlineRoles({}, names, request), ...onlineRoles(online) } as RootRoles;
  const dates = { version: 1, expiresMs: request.expiresMs };
  const objects = keySetsOf(online);
  const entries = keySetEntries(online);
  const next = new Map([
    ['root', unsigned(rootDocument(dates, roles, names))],
    ['targets', unsigned(targetsDocument(dates, entries))],
  ]);
  return { createdAt, roots: [], published: new Map(), next, objects };
}

/** Adds the next targets, with new `entries` and every delegation given to `policy`, and the channels that have to be signed again. */
function withTargets(
  proposal: Proposal,
  published: PublishedRoles['targets'],
  policy: RolePolicy,
  entries: ReadonlyMap<string, TargetEntry>,
  request: Request,
): Proposal {
  const { version, targets: before, delegations } = editTargets(published.get('targets') as Buffer);
  const targets = new Map([...before, ...entries]);
  const given = delegations.map(({ name, paths }) => ({ name, paths, ...policy }));
  const dates = { version: version + 1, expiresMs: request.expiresMs };
  const top = {
    ...proposal,
    next: new Map(proposal.next).set('targets', unsigned(targetsDocument(dates, targets, given))),
  };
  const next = new Map(top.next);
  for (const { name } of given) {
    const file = published.get(name) as Buffer;
    const staysValid = requirementsOf(top, name).every(requirement => isMet(requirement, file));
    if (staysValid && !request.renew.includes('targets')) continue;
    const channel = editTargets(file);
    const document = targetsDocument({ ...dates, version: channel.version + 1 }, channel.targets, channel.delegations);
    next.set(name, unsigned(document));
  }
  return { ...top, next, published };
}

/** The roles of people after the request. Root and targets always have keys; the offline snapshot once somebody is named. */
function offlineRoles(
  current: Readonly<Partial<Record<OfflineRole, RolePolicy>>>,
  names: Map<string, string>,
  request: Request,
): Pick<RootRoles, OfflineRole> {
  const changed = (role: OfflineRole) => changedPolicy(role, current[role] ?? NOBODY, names, request);
  const isNamed = current['offline-snapshot'] ?? request.add['offline-snapshot']?.length;
  const roles = { root: changed('root'), targets: changed('targets') };
  return isNamed ? { ...roles, 'offline-snapshot': changed('offline-snapshot') } : roles;
}

/** A role's keys and threshold after the request; `names` learns who the new ones are. */
function changedPolicy(
  role: OfflineRole,
  { keys, threshold }: RolePolicy,
  names: Map<string, string>,
  request: Request,
): RolePolicy {
  const { thresholds } = request;
  const [add, remove] = [request.add[role] ?? [], request.remove[role] ?? []];
  const unknown = remove.find(name => !keys.some(key => names.get(keyIdOf(key)) === name));
  if (unknown !== undefined) throw serverError('signer-unknown', `No key of the ${role} role belongs to ${unknown}.`);
  const kept = keys.filter(key => !remove.includes(names.get(keyIdOf(key)) ?? ''));
  const added = add.flatMap(card => card.keys).filter(key => !isAmong(key, kept));
  for (const card of add) for (const key of card.keys) names.set(keyIdOf(key), card.name);
  const policy = { keys: [...kept, ...added], threshold: thresholds[role] ?? threshold };
  for (const { class: kind, keys: able } of perClass(role, role, policy)) {
    if (able.length >= policy.threshold) continue;
    const what = `The ${role} role would have ${counted(able.length, `${kind} key`)} and a threshold of ${policy.threshold}`;
    throw serverError('config-invalid', `${what}.`, { hint: 'Add signers, or lower the threshold.' });
  }
  return policy;
}

function isAmong(key: PublicKey, keys: readonly PublicKey[]): boolean {
  return keys.some(other => keyIdOf(other) === keyIdOf(key));
}

function onlineRoles({ snapshot, timestamp }: Partial<OnlineKeys>) {
  const role = (key: PublicKey) => ({ keys: [key], threshold: 1 });
  return { ...(snapshot && { snapshot: role(snapshot) }), ...(timestamp && { timestamp: role(timestamp) }) };
}

/** The key sets that targets name, by path. */
function keySetsOf({ issuers, director, reports }: Partial<OnlineKeys>): ReadonlyMap<string, Buffer> {
  const sets = { [targetPaths.issuers]: issuers, [targetPaths.director]: director, [targetPaths.reports]: reports };
  return new Map(Object.entries(sets).flatMap(([path, set]) => (set === undefined ? [] : [[path, Buffer.from(set)]])));
}

function keySetEntries(online: Partial<OnlineKeys>): ReadonlyMap<string, TargetEntry> {
  return new Map([...keySetsOf(online)].map(([path, bytes]) => [path, targetEntryOf(bytes)]));
}

function samePolicy(a: RolePolicy | undefined, b: RolePolicy | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function unsigned(document: object): Buffer {
  return metadataFile(document, new Map());
}
