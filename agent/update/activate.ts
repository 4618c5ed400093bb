// Binds this site to its license: over the network once, or, behind an air gap, with the license file alone.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type LicenseFile, targetPaths } from '../../bundles/index.ts';
import { fileTrustStore, type License, reasonOf, refresh, verifyLicense } from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import { type CertificateChoice, withCertificate } from './certificate.ts';
import { feedClient } from './feed-client.ts';
import {
  newSite,
  parseLicenseFile,
  requireNoSite,
  type Site,
  type SiteChoice,
  writePendingSite,
  writeSite,
} from './site.ts';

export interface ActivationChoice extends SiteChoice {
  readonly directory: string;
  readonly licenseFile: string;
  /** What the site connects with, instead of the license's key. */
  readonly certificate?: CertificateChoice;
  readonly now: Date;
}

/**
 * Activates the site. It counts as activated only when the service has agreed, where it is asked at all.
 *
 * @throws `license-file`, `anchor-mismatch`, `already-activated`, `license-refused`, `feed-unreachable`, `feed-refused`, and
 *   what `withCertificate` throws
 */
export async function activate(choice: ActivationChoice): Promise<Site> {
  await requireNoSite(choice.directory);
  const keyed = newSite(await licenseFileAt(choice.licenseFile), choice);
  const wanted = choice.certificate ? await withCertificate(keyed, choice.certificate, choice.now) : keyed;
  const site = choice.connected ? await writePendingSite(choice.directory, wanted) : wanted;
  if (!choice.connected) {
    await writeSite(choice.directory, site);
    return site;
  }
  const feed = feedClient(site);
  try {
    const trust = fileTrustStore(join(choice.directory, 'trust'));
    const repository = await refresh(feed, trust, Buffer.from(site.trustAnchor), choice.now.getTime());
    const issuers = await repository.target(targetPaths.issuers);
    requireChannel(await verifyLicense(site.license, issuers.bytes), site.channel);
    const license = await feed.activate({ site: site.site, name: site.name, publicKey: site.publicKey });
    requireChannel(await verifyLicense(license, issuers.bytes), site.channel);
    const activated = { ...site, license };
    await writeSite(choice.directory, activated);
    return activated;
  } finally {
    feed.close();
  }
}

/** @throws `license-file` */
export async function licenseFileAt(path: string): Promise<LicenseFile> {
  const bytes = await readFile(path).catch(cause => {
    throw agentError('license-file', `${path} cannot be read: ${reasonOf(cause)}.`, {
      cause,
      hint: 'Name the file that the vendor sent, and read it as a user that may.',
    });
  });
  return parseLicenseFile(bytes, path);
}

/** @throws `license-refused` */
export function requireChannel({ product, channels }: License, channel: string): void {
  if (channels.includes(channel)) return;
  throw agentError('license-refused', `The license for ${product} does not include the channel ${channel}.`);
}
