// Makes certificates: that of the service's authority, and what the authority signs. Each can be used for one thing only.
// RFC 5280: section 4.1.2.2 (serial numbers), 4.2.1 (extensions). Nothing is recorded here.
import { randomBytes, type webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import { licenseUri } from '../../bundles/index.ts';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  type PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from './x509.ts';

export const ES256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** The clocks of several services, and of sites, do not agree to the second. */
const BACKDATE_MS = 3600_000;
const DAY_MS = 24 * 3600_000;
const AUTHORITY_MS = 3650 * DAY_MS;

/** An authority that can issue. */
export interface Authority {
  readonly certificate: X509Certificate;
  readonly privateKey: webcrypto.CryptoKey;
}

/** A new authority. It signs no other authorities. */
export async function newAuthority(now: Date): Promise<Authority> {
  const keys = await crypto.subtle.generateKey(ES256, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    // Told apart by a number: a site may know the authorities of several services.
    name: [{ CN: [`Rollover service ${randomBytes(4).toString('hex')}`] }],
    serialNumber: serialNumber(),
    ...validity(now, new Date(now.getTime() + AUTHORITY_MS)),
    signingAlgorithm: ES256,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate, privateKey: keys.privateKey };
}

/** A certificate that a site connects with as this license. */
export function clientCertificate(
  authority: Authority,
  { license, publicKey, now, until }: { license: string; publicKey: PublicKey; now: Date; until: Date },
): Promise<X509Certificate> {
  const names: JsonGeneralName[] = [{ type: 'url', value: licenseUri(license) }];
  return issue(authority, { name: license, names, usage: ExtendedKeyUsage.clientAuth, publicKey, now, until });
}

/** A certificate that a service shows to sites, for the name or address that they connect to. */
export function serverCertificate(
  authority: Authority,
  { host, publicKey, now, until }: { host: string; publicKey: webcrypto.CryptoKey; now: Date; until: Date },
): Promise<X509Certificate> {
  const names: JsonGeneralName[] = [{ type: isIP(host) === 0 ? 'dns' : 'ip', value: host }];
  return issue(authority, { name: 'Rollover feed', names, usage: ExtendedKeyUsage.serverAuth, publicKey, now, until });
}

interface Subject {
  readonly name: string;
  readonly names: JsonGeneralName[];
  readonly usage: ExtendedKeyUsage;
  readonly publicKey: PublicKey | webcrypto.CryptoKey;
  readonly now: Date;
  readonly until: Date;
}

async function issue(authority: Authority, { name, names, usage, publicKey, now, until }: Subject) {
  return X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [name] }],
    issuer: authority.certificate.subjectName,
    ...validity(now, until),
    signingAlgorithm: ES256,
    publicKey,
    signingKey: authority.privateKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([usage], true),
      new SubjectAlternativeNameExtension(names),
      await AuthorityKeyIdentifierExtension.create(authority.certificate),
      await SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
}

function validity(now: Date, until: Date) {
  return { notBefore: new Date(now.getTime() - BACKDATE_MS), notAfter: until };
}

/** 128 bits at random but for the first two: always positive, and always written with 32 digits. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x40;
  return bytes.toString('hex');
}
