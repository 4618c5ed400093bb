// Sends a proposal that is complete to the service, which verifies it as a site would and publishes all of it or nothing.

import { targetPaths } from '../../bundles/index.ts';
import { parseOfflineRole } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import { encodeFiles } from '../files.ts';
import type { ApiClient } from '../pipeline/api-client.ts';
import type { Proposal } from './proposal.ts';
import { publishedRole } from './published-roles.ts';
import { requireComplete } from './requirements.ts';

/**
 * Publishes a proposal; when it is published already, nothing happens.
 *
 * @returns the versions that are published, by role
 * @throws `proposal-incomplete`, `proposal-stale`, `online-keys-unknown`, and the codes of the trust core when sites would
 * refuse it
 */
export async function publishProposal(api: ApiClient, proposal: Proposal): Promise<ReadonlyMap<string, number>> {
  requireComplete(proposal);
  const versions = new Map([...proposal.next].map(([role, bytes]) => [role, versionOf(role, bytes)]));
  if (await isPublished(api, proposal)) return versions;
  for (const [role, version] of versions) {
    const newest = await publishedRole(api, role);
    const current = newest ? versionOf(role, newest) : 0;
    if (current === version - 1) continue;
    throw serverError(
      'proposal-stale',
      `It proposes ${role} ${version}, and ${role} ${current} is published meanwhile.`,
    );
  }
  const metadata = encodeFiles(proposal.next);
  if (proposal.roots.length === 0) {
    const { root, targets } = metadata;
    const {
      [targetPaths.issuers]: issuers,
      [targetPaths.director]: director,
      [targetPaths.reports]: reports,
    } = encodeFiles(proposal.objects);
    await api.post('/v1/trust', { root, targets, issuers, director, reports });
  } else {
    await api.post('/v1/trust/publications', { metadata });
  }
  return versions;
}

async function isPublished(api: ApiClient, { next }: Proposal): Promise<boolean> {
  for (const [role, bytes] of next) if (!(await publishedRole(api, role))?.equals(bytes)) return false;
  return true;
}

function versionOf(role: string, bytes: Buffer): number {
  return parseOfflineRole(role, bytes).content.version;
}
