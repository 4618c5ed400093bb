// The certificate that a site connects with: read from the file that the vendor made, kept with the site's other secrets.
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { licenseOfCertificate } from '../../bundles/index.ts';
import { openPkcs12, reasonOf, signingError } from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import { feedClient } from './feed-client.ts';
import { readSite, type Site, writeSite } from './site.ts';

/** Time enough to ask the vendor for another one. */
const WARNING_MS = 30 * 24 * 3600_000;
const MOST_AUTHORITY_BYTES = 1024 * 1024;
/** Metadata that every service has, to see whether it lets the site in. */
const PROBE = { name: 'timestamp.json', maxBytes: 64 * 1024 };

export interface CertificateChoice {
  /** PKCS#12. */
  readonly file: string;
  readonly passphrase: string;
  /** PEM of the authorities that the service's own certificate is checked against, instead of those in the file. */
  readonly authorityFile?: string;
  /** Instead of what the license file says. */
  readonly port?: number;
}

/**
 * The site, connecting with a certificate.
 *
 * @throws `certificate-file`, `key-locked`, `certificate-refused` for one of another license, one that is over, or without a
 *   port to use it at
 */
export async function withCertificate(site: Site, choice: CertificateChoice, now: Date): Promise<Site> {
  const { privateKey, certificate, authorities } = openPkcs12(
    await bytesOf(choice.file),
    choice.passphrase,
    choice.file,
  );
  const license = licenseOfCertificate(certificate);
  if (license !== site.licenseId) {
    const whose = license === undefined ? 'no license' : `license ${license}`;
    throw agentError(
      'certificate-refused',
      `The certificate in ${choice.file} is for ${whose}; the site has ${site.licenseId}.`,
    );
  }
  if (certificate.validToDate <= now) {
    throw agentError(
      'certificate-refused',
      `The certificate in ${choice.file} ended on ${dayOf(certificate.validToDate)}.`,
    );
  }
  const trusted = choice.authorityFile === undefined ? authorities : await authoritiesIn(choice.authorityFile);
  if (trusted.length === 0) {
    throw agentError('certificate-refused', `${choice.file} does not say who signs the service’s own certificate.`, {
      hint: 'Name a file with that authority’s certificate with --ca.',
    });
  }
  const port = choice.port ?? site.certificate?.port ?? site.feed.mtlsPort;
  if (port === undefined) {
    throw agentError('certificate-refused', 'The license file names no port for certificates.', {
      hint: 'Ask the vendor which port that is, and name it with --mtls-port.',
    });
  }
  return {
    ...site,
    certificate: {
      port,
      certificate: certificate.toString(),
      privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      authorities: trusted.map(String),
    },
  };
}

/**
 * Gives an activated site a certificate, its first or its next one. It is kept only if the service lets the site in with it.
 *
 * @throws `not-activated`, `site-offline`, and what `withCertificate` and the feed client throw
 */
export async function replaceCertificate(directory: string, choice: CertificateChoice, now: Date): Promise<Site> {
  const known = await readSite(directory);
  if (!known.connected) throw agentError('site-offline', 'This site asks nothing of the network.');
  const site = await withCertificate(known, choice, now);
  const feed = feedClient(site);
  try {
    await feed.metadata(PROBE.name, PROBE.maxBytes);
  } finally {
    feed.close();
  }
  await writeSite(directory, site);
  return site;
}

/** When the certificate of a site ends; undefined for a site that connects with its license's key. */
export function certificateEnd({ certificate }: Pick<Site, 'certificate'>): Date | undefined {
  return certificate && new X509Certificate(certificate.certificate).validToDate;
}

/** What the operator has to know of a certificate that ends then; nothing while there is time. */
export function certificateWarnings(end: Date | undefined, now: Date): readonly string[] {
  if (!end || end.getTime() - now.getTime() > WARNING_MS) return [];
  const when = `${end > now ? 'ends' : 'ended'} on ${dayOf(end)}`;
  return [
    `The certificate of this site ${when}. Ask the vendor for another one; \`rollover agent certificate\` takes it.`,
  ];
}

async function authoritiesIn(path: string): Promise<readonly X509Certificate[]> {
  const bytes = await bytesOf(path);
  const blocks = bytes.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    if (bytes.length <= MOST_AUTHORITY_BYTES) return blocks.map(block => new X509Certificate(block));
  } catch {
    // Said below.
  }
  throw signingError('certificate-file', `${path} holds no certificates in PEM.`, {
    hint: 'Name a file with the certificate of the authority that signs the service’s own, as PEM.',
  });
}

async function bytesOf(path: string): Promise<Buffer> {
  return readFile(path).catch(cause => {
    throw signingError('certificate-file', `${path} cannot be read: ${reasonOf(cause)}.`, { cause });
  });
}

function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}
