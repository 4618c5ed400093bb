// Binds this site to its license: over the network once, or, behind an air gap, with the license file alone.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { targetPaths } from '../../bundles/index.ts';
import { fileTrustStore, refresh, verifyLicense } from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import { feedClient } from './feed-client.ts';
import { newSite, parseLicenseFile, type Site, writeSite } from './site.ts';

export interface ActivationChoice {
  readonly directory: string;
  readonly licenseFile: string;
  readonly name: string;
  /** False: nothing is asked of the network, now or later. */
  readonly connected: boolean;
  readonly channel?: string;
  readonly fingerprint?: string;
  readonly now: Date;
}

/**
 * Activates the site. Nothing is written before the service has agreed, when it is asked at all.
 *
 * @throws `license-file`, `anchor-mismatch`, `already-activated`, `license-refused`, `feed-unreachable`, `feed-refused`
 */
export async function activate(choice: ActivationChoice): Promise<Site> {
  const bytes = await readFile(choice.licenseFile).catch(cause => {
    throw agentError('license-file', `${choice.licenseFile} cannot be read.`, { cause });
  });
  const site = newSite(parseLicenseFile(bytes, choice.licenseFile), choice);
  if (!choice.connected) {
    await writeSite(choice.directory, site);
    return site;
  }
  const feed = feedClient(site);
  try {
    const trust = fileTrustStore(join(choice.directory, 'trust'));
    const repository = await refresh(feed, trust, Buffer.from(site.trustAnchor), choice.now.getTime());
    const issuers = await repository.target(targetPaths.issuers);
    const license = await feed.activate({ site: site.site, name: site.name, publicKey: site.publicKey });
    const { product, channels } = await verifyLicense(license, issuers.bytes);
    if (!channels.includes(site.channel)) {
      throw agentError('license-refused', `The license for ${product} does not include the channel ${site.channel}.`);
    }
    const activated = { ...site, license };
    await writeSite(choice.directory, activated);
    return activated;
  } finally {
    feed.close();
  }
}
