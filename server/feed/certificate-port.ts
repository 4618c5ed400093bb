// Opens the port for certificates on the service's database: which of them are let in, and what it shows itself.
import type { X509Certificate } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { serviceAuthority } from '../certificates/authority.ts';
import { certificateOpens, licenseOfIssued } from '../certificates/certificates.ts';
import { type CertificateFiles, shownCertificate } from '../certificates/server-certificate.ts';
import type { Context } from '../context.ts';
import type { FeedConnection } from './connection.ts';
import { mtlsServer } from './mtls-listener.ts';
import type { SitePort } from './site-port.ts';

const RENEW_EVERY_MS = 24 * 3600_000;

/** @throws `file-unreadable`, `config-invalid` */
export async function certificatePort(
  context: Context,
  files: CertificateFiles | undefined,
  handler: RequestListener,
): Promise<SitePort> {
  const authority = await serviceAuthority(context);
  const shown = await shownCertificate(files, authority, context);
  const lookUp = (certificate: X509Certificate) => connectionFor(context, certificate);
  const port = mtlsServer(handler, { authority: authority.certificate.toString('pem'), shown }, lookUp, context.log);
  const renewal = setInterval(() => {
    shownCertificate(files, authority, context)
      .then(port.show)
      .catch(error => context.log.error({ err: error }, 'the certificate shown to sites was not renewed'));
  }, RENEW_EVERY_MS);
  const close = (deadline?: AbortSignal) => {
    clearInterval(renewal);
    return port.close(deadline);
  };
  return { server: port.server, close };
}

async function connectionFor(context: Context, certificate: X509Certificate): Promise<FeedConnection | undefined> {
  const license = await licenseOfIssued(context, certificate);
  return license && { ...license, isRelay: false, stillOpens: () => certificateOpens(context, certificate) };
}
