// New versions of targets roles, signed: a channel's, the upgrade graph's, and the delegations to those that are new.
import {
  editRoot,
  editTargets,
  type RolePolicy,
  type Signer,
  signMetadata,
  type TargetEntry,
  targetEntryOf,
  targetsDocument,
} from '../../signing/index.ts';
import { DEFAULT_LIFE_MS } from '../ceremony/expiry.ts';
import { publishedRole } from '../ceremony/published-roles.ts';
import { serverError } from '../errors.ts';
import type { ApiClient } from './api-client.ts';

/** Who may sign targets, as published now. */
export interface TargetsState {
  readonly root: Buffer;
  /** The newest top-level targets file. */
  readonly targets: Buffer;
  /** Who may sign releases, as root says: a delegated role is given to the same. */
  readonly policy: RolePolicy;
}

/** The next version of a delegated role. */
export interface RoleEdit {
  readonly role: string;
  /** What is delegated to it. */
  readonly paths: readonly string[];
  /** Of the version that is published; 0 for a new role. */
  readonly version: number;
  /** What it signs already. */
  readonly entries: ReadonlyMap<string, TargetEntry>;
  /** What it signs from now on, by path. */
  readonly targets: ReadonlyMap<string, Buffer>;
}

export interface SignedPublication {
  readonly metadata: ReadonlyMap<string, Buffer>;
  readonly targets: ReadonlyMap<string, Buffer>;
}

/** @throws `trust-missing` */
export async function readTargets(api: ApiClient): Promise<TargetsState> {
  const targets = await publishedRole(api, 'targets');
  if (!targets) throw serverError('trust-missing', `The service at ${api.url} has no root of trust yet.`);
  const root = (await publishedRole(api, 'root')) as Buffer;
  return { root, targets, policy: editRoot(root).roles.targets };
}

/** Signs the edits as one publication, with the top-level targets when one of the roles is new. */
export async function signRoles(
  state: TargetsState,
  edits: readonly RoleEdit[],
  signers: readonly Signer[],
  nowMs: number,
): Promise<SignedPublication> {
  const expiresMs = nowMs + DEFAULT_LIFE_MS;
  const metadata = new Map<string, Buffer>();
  for (const { role, version, entries, targets } of edits) {
    const signed = new Map(entries);
    for (const [path, bytes] of targets) signed.set(path, targetEntryOf(bytes));
    metadata.set(role, await signMetadata(targetsDocument({ version: version + 1, expiresMs }, signed), signers));
  }
  const delegating = await withDelegations(state, edits, signers, expiresMs);
  if (delegating) metadata.set('targets', delegating);
  return { metadata, targets: new Map(edits.flatMap(({ targets }) => [...targets])) };
}

/** The top-level targets with delegations to the roles that are new; undefined when none is. */
async function withDelegations(
  { targets: published, policy }: TargetsState,
  edits: readonly RoleEdit[],
  signers: readonly Signer[],
  expiresMs: number,
): Promise<Buffer | undefined> {
  const { version, targets, delegations } = editTargets(published);
  const added = edits
    .filter(({ role }) => !delegations.some(({ name }) => name === role))
    .map(({ role, paths }) => ({ name: role, paths, ...policy }));
  if (added.length === 0) return undefined;
  return signMetadata(
    targetsDocument({ version: version + 1, expiresMs }, targets, [...delegations, ...added]),
    signers,
  );
}
