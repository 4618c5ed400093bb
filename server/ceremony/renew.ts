// Renewals: the same roles with a later expiry. The pipeline's keys renew targets and channels at once; root waits for people.
import type { Signer } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import type { ApiClient } from '../pipeline/api-client.ts';
import type { Proposal } from './proposal.ts';
import { publishProposal } from './publish-proposal.ts';
import { readPublishedRoles } from './published-roles.ts';
import { proposeNext } from './request.ts';
import { signProposal } from './sign.ts';

/**
 * Signs and publishes targets and every channel again.
 *
 * @throws `proposal-incomplete` when these signers are not enough, and what publishing throws
 */
export async function renewTargets(
  api: ApiClient,
  signers: readonly Signer[],
  expiresMs: number,
  now: Date,
): Promise<ReadonlyMap<string, number>> {
  const proposal = await renewal(api, 'targets', expiresMs, now);
  return publishProposal(api, (await signProposal(proposal, signers)).proposal);
}

/** Proposes the next root with the same signers. */
export function rootRenewal(api: ApiClient, expiresMs: number, now: Date): Promise<Proposal> {
  return renewal(api, 'root', expiresMs, now);
}

async function renewal(api: ApiClient, role: 'root' | 'targets', expiresMs: number, now: Date): Promise<Proposal> {
  const published = await readPublishedRoles(api);
  if (published.roots.length === 0) {
    throw serverError('trust-missing', `The service at ${api.url} has no root of trust yet.`);
  }
  const request = { add: {}, remove: {}, thresholds: {}, renew: [role], expiresMs };
  return proposeNext(published, request, {}, now.toISOString());
}
