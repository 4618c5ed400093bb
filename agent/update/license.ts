// The license that a site goes by: its own, or a later one that the source brings, so that renewals and documents of a new issuer
// key arrive with the updates, over the network and on sticks.
import { type BundleSource, type ReleaseDocument, targetPaths } from '../../bundles/index.ts';
import {
  covers,
  entitlementPublicKey,
  hasCode,
  isLocked,
  type License,
  type LicenseObjection,
  licenseObjections,
  type Repository,
  RolloverError,
  termOf,
  verifyLicense,
} from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import { entitlementSecret, type Site, writeSite } from './site.ts';

/**
 * The verified license, when nothing speaks against it. A later document than the site's is kept.
 *
 * @throws `license-invalid`, `license-refused`, and the codes of trust
 */
export async function followLicense(
  directory: string,
  site: Site,
  repository: Repository,
  sources: readonly BundleSource[],
  now: Date,
): Promise<License> {
  const { bytes: issuers } = await repository.target(targetPaths.issuers);
  const publicKey = await entitlementPublicKey(entitlementSecret(site));
  const verified = (document: string) => verifiedFor({ id: site.licenseId, publicKey }, document, issuers);
  const kept = await verified(site.license);
  for (const source of sources) {
    const brought = await broughtBy(source);
    const fresh = brought === undefined ? undefined : await verified(brought);
    if (brought === undefined || !fresh || (kept && fresh.issuedAt <= kept.issuedAt)) continue;
    requireCovers(fresh, site, now);
    await writeSite(directory, { ...site, license: brought });
    return fresh;
  }
  const license = kept ?? (await verifyLicense(site.license, issuers));
  requireCovers(license, site, now);
  return license;
}

/** Undefined where a source brings none: the one that is here does as well. */
async function broughtBy(source: BundleSource): Promise<string | undefined> {
  try {
    return await source.license();
  } catch (error) {
    if (error instanceof RolloverError) return undefined;
    throw error;
  }
}

/** Undefined for a document that no issuer of today signed, or that is for another license or another entitlement key. */
async function verifiedFor(
  ours: { readonly id: string; readonly publicKey: string },
  document: string,
  issuers: Uint8Array,
): Promise<License | undefined> {
  try {
    const license = await verifyLicense(document, issuers);
    const isOurs = license.id === ours.id && license.entitlement.publicKey === ours.publicKey;
    return isOurs ? license : undefined;
  } catch (error) {
    if (hasCode(error, 'license-invalid')) return undefined;
    throw error;
  }
}

/**
 * What was made while the license was valid stays open to it, where it says so: it is needed for recovery. The service's word to
 * this site goes by the day of publication, which is later.
 *
 * @throws `license-refused`
 */
export function requireCovered(license: License, { version, createdAt }: ReleaseDocument, now: Date): void {
  if (covers(termOf(license), Date.parse(createdAt), now.getTime())) return;
  const what = `License ${license.id} expired at ${license.expiresAt}`;
  throw agentError('license-refused', `${what}, and does not include ${version}, which is newer.`);
}

/** An end is no objection by itself: it depends on the release. */
function requireCovers(license: License, site: Site, now: Date): void {
  const wanted = { product: site.product, channel: site.channel, nowMs: now.getTime() };
  const isOver = isLocked(termOf(license), wanted.nowMs);
  const objections = licenseObjections(license, wanted).filter(({ reason }) => isOver || reason !== 'expired');
  if (objections.length === 0) return;
  const isEarly = objections.some(({ reason }) => reason === 'not-yet-valid');
  const hint = isEarly ? { hint: 'Check the clock of this machine (`date`): it may be behind.' } : {};
  const text = objections.map(objectionText).join(', and ');
  throw agentError('license-refused', `License ${license.id} ${text}.`, hint);
}

function objectionText(objection: LicenseObjection): string {
  switch (objection.reason) {
    case 'not-yet-valid':
      return `is not valid before ${objection.notBefore}`;
    case 'expired':
      return `expired at ${objection.expiresAt}`;
    case 'other-product':
      return `is for ${objection.product}`;
    case 'channel-not-included':
      return `does not include the channel ${objection.channel}`;
  }
}
