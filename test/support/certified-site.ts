// Sites that connect with a certificate, as after an activation with a .p12 file: without the file and its slow passphrase.
import { type KeyObject, X509Certificate } from 'node:crypto';
import { newSite, type Site } from '../../agent/update/site.ts';
import type { LicenseFile } from '../../bundles/index.ts';
import type { IssuedCertificate } from '../../server/certificates/certificates.ts';
import { newRequest } from '../../server/certificates/request.ts';
import type { CertifiedKey } from '../../signing/index.ts';
import type { TestService } from './service.ts';

/** A certificate of the service for a license, and its private key. */
export async function certificateFor(
  service: TestService,
  license: string,
): Promise<IssuedCertificate & { readonly privateKey: KeyObject }> {
  const { privateKey, request } = await newRequest();
  const path = `/v1/licenses/${license}/certificates`;
  return { ...(await service.api.post<IssuedCertificate>(path, { request })), privateKey };
}

/** What a .p12 file of it holds. */
export function certifiedKeyOf(issued: Awaited<ReturnType<typeof certificateFor>>): CertifiedKey {
  const { privateKey, certificate, authority } = issued;
  return { privateKey, certificate: new X509Certificate(certificate), authorities: [new X509Certificate(authority)] };
}

/** A site of a license that connects with this certificate. */
export function certifiedSite(file: LicenseFile, issued: Awaited<ReturnType<typeof certificateFor>>): Site {
  const { certificate, authority, feed, privateKey } = issued;
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const own = { port: feed.mtlsPort as number, certificate, privateKey: key, authorities: [authority] };
  return { ...newSite(file, { name: 'test', connected: true }), certificate: own };
}
