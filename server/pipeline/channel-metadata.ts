// What a channel offers now, and its role for one more release.
import {
  type ChannelDocument,
  channelDocumentSchema,
  compareVersions,
  parseDocument,
  type ReleaseDocument,
  targetPaths,
} from '../../bundles/index.ts';
import { editTargets, type TargetEntry } from '../../signing/index.ts';
import { publishedRole } from '../ceremony/published-roles.ts';
import { serverError } from '../errors.ts';
import type { ApiClient } from './api-client.ts';
import { type RoleEdit, readTargets, type TargetsState } from './role-edits.ts';

const MOST_READS = 5;

export interface ChannelState extends TargetsState {
  readonly channel: ChannelDocument;
  readonly roleVersion: number;
  readonly roleTargets: ReadonlyMap<string, TargetEntry>;
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
  const state = await readTargets(api);
  const role = await publishedRole(api, targetPaths.role(product, channel));
  if (!role) {
    const empty = { format: 1 as const, product, channel, releases: [] };
    return { ...state, channel: empty, roleVersion: 0, roleTargets: new Map() };
  }
  const { version, targets: roleTargets } = editTargets(role);
  const entry = roleTargets.get(targetPaths.channel(product, channel));
  const bytes = entry && (await api.bytes(`/v1/objects/${entry.sha256}`));
  if (!bytes) return undefined;
  const document = parseDocument(channelDocumentSchema, bytes, 'channel document');
  return { ...state, channel: document, roleVersion: version, roleTargets };
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

/** The channel's role with one more release, and the documents it names: the head, the release's own, and what is about it. */
export function withRelease(
  state: ChannelState,
  release: ReleaseDocument,
  document: Buffer,
  attestations: ReadonlyMap<string, Buffer>,
): RoleEdit {
  const { product, channel } = state.channel;
  const releases = [...state.channel.releases, { version: release.version, counter: release.counter }];
  const head = Buffer.from(JSON.stringify({ ...state.channel, releases }));
  return {
    role: targetPaths.role(product, channel),
    paths: targetPaths.rolePatterns(product, channel),
    version: state.roleVersion,
    entries: state.roleTargets,
    targets: new Map([
      [targetPaths.channel(product, channel), head],
      [targetPaths.release(product, channel, release.version), document],
      ...attestations,
    ]),
  };
}
