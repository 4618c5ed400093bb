// Edits the metadata of a channel for one more release: its role, and the delegation to it when the channel is new.
import {
  type ChannelDocument,
  channelDocumentSchema,
  compareVersions,
  parseDocument,
  type ReleaseDocument,
  targetPaths,
} from '../../bundles/index.ts';
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

const MOST_READS = 5;

export interface ChannelState {
  readonly channel: ChannelDocument;
  readonly roleVersion: number;
  readonly roleTargets: ReadonlyMap<string, TargetEntry>;
  readonly root: Buffer;
  /** The newest top-level targets file. */
  readonly targets: Buffer;
  /** Who may sign releases, as root says: a channel's role is given to the same. */
  readonly policy: RolePolicy;
}

/**
 * What is published for a channel now; an empty channel where there is none yet. Read again when somebody publishes between two
 * of its parts: what the first part names may be gone by then.
 *
 * @throws `trust-missing`
 */
export async function readChannel(api: ApiClient, product: string, channel: string): Promise<ChannelState> {
  for (let attempt = 1; ; attempt++) {
    const state = await readChannelOnce(api, product, channel);
    if (state) return state;
    if (attempt === MOST_READS)
      throw serverError('service-failed', `The service lacks the head of channel ${channel}.`);
  }
}

/** Undefined when the head that the role names is not there. */
async function readChannelOnce(api: ApiClient, product: string, channel: string): Promise<ChannelState | undefined> {
  const targets = await publishedRole(api, 'targets');
  if (!targets) throw serverError('trust-missing', `The service at ${api.url} has no root of trust yet.`);
  const root = (await publishedRole(api, 'root')) as Buffer;
  const policy = editRoot(root).roles.targets;
  const role = await publishedRole(api, targetPaths.role(product, channel));
  if (!role) {
    const empty = { format: 1 as const, product, channel, releases: [] };
    return { channel: empty, roleVersion: 0, roleTargets: new Map(), root, targets, policy };
  }
  const { version, targets: roleTargets } = editTargets(role);
  const entry = roleTargets.get(targetPaths.channel(product, channel));
  const bytes = entry && (await api.bytes(`/v1/objects/${entry.sha256}`));
  if (!bytes) return undefined;
  const document = parseDocument(channelDocumentSchema, bytes, 'channel document');
  return { channel: document, roleVersion: version, roleTargets, root, targets, policy };
}

/** A site takes what was published last: an older version would be a way back. @throws `version-older` */
export function requireNewest({ channel }: ChannelState, version: string): void {
  const newest = channel.releases
    .map(release => release.version)
    .toSorted(compareVersions)
    .at(-1);
  const isPublished = channel.releases.some(release => release.version === version);
  if (newest === undefined || isPublished || compareVersions(version, newest) > 0) return;
  const what = `${channel.product}/${channel.channel} has ${newest} already`;
  throw serverError('version-older', `${what}, which is not older than ${version}.`);
}

/** The number of the next release in the channel. */
export function nextCounter({ channel }: ChannelState): number {
  return Math.max(0, ...channel.releases.map(release => release.counter)) + 1;
}

export interface ChannelPublication {
  readonly metadata: ReadonlyMap<string, Buffer>;
  readonly targets: ReadonlyMap<string, Buffer>;
}

/** The signed metadata that offers `release` in the channel, and the documents it names: the release's own, and about it. */
export async function withRelease(
  state: ChannelState,
  release: ReleaseDocument,
  document: Buffer,
  attestations: ReadonlyMap<string, Buffer>,
  signers: readonly Signer[],
  nowMs: number,
): Promise<ChannelPublication> {
  const { product, channel } = state.channel;
  const expiresMs = nowMs + DEFAULT_LIFE_MS;
  const releases = [...state.channel.releases, { version: release.version, counter: release.counter }];
  const head = Buffer.from(JSON.stringify({ ...state.channel, releases }));
  const targets = new Map([
    [targetPaths.channel(product, channel), head],
    [targetPaths.release(product, channel, release.version), document],
    ...attestations,
  ]);
  const entries = new Map(state.roleTargets);
  for (const [path, bytes] of targets) entries.set(path, targetEntryOf(bytes));
  const role = targetPaths.role(product, channel);
  const roleFile = await signMetadata(targetsDocument({ version: state.roleVersion + 1, expiresMs }, entries), signers);
  const metadata = new Map([[role, roleFile]]);
  const delegating = await withDelegation(state, role, signers, expiresMs);
  if (delegating) metadata.set('targets', delegating);
  return { metadata, targets };
}

/** The top-level targets with a delegation to the channel's role; undefined when it is already there. */
async function withDelegation(state: ChannelState, role: string, signers: readonly Signer[], expiresMs: number) {
  const { version, targets, delegations } = editTargets(state.targets);
  if (delegations.some(delegation => delegation.name === role)) return undefined;
  const { product, channel } = state.channel;
  const added = {
    name: role,
    paths: targetPaths.rolePatterns(product, channel),
    ...state.policy,
  };
  return signMetadata(targetsDocument({ version: version + 1, expiresMs }, targets, [...delegations, added]), signers);
}
