// How a site's certificate says which license it is for. The service writes it; the service and the site read it.
import type { X509Certificate } from 'node:crypto';

const PREFIX = 'urn:rollover:license:';
/** How Node writes the alternative names of a certificate that has this one only. */
const ONLY_NAME = /^URI:urn:rollover:license:([\w-]{1,64})$/;

/** The alternative name of a certificate for this license. */
export function licenseUri(license: string): string {
  return `${PREFIX}${license}`;
}

/** The license that a certificate is for; undefined for a certificate of another kind. Says nothing about who signed it. */
export function licenseOfCertificate(certificate: X509Certificate): string | undefined {
  return ONLY_NAME.exec(certificate.subjectAltName ?? '')?.[1];
}
