// What the port for certificates shows to sites: files of the operator, or a certificate of the service's own authority.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { reasonOf } from '../../signing/index.ts';
import type { Context } from '../context.ts';
import { serverError } from '../errors.ts';
import type { ServerCertificate } from '../feed/mtls-listener.ts';
import { type Authority, ES256, serverCertificate } from './issue.ts';
import { PemConverter } from './x509.ts';

/** Made anew every day, so that it never ends while the service runs. */
const OWN_MS = 90 * 24 * 3600_000;

/** PEM files of the operator: the certificate with those above it, and its private key. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/**
 * The certificate to show now. Files are read again each time: they may have been renewed.
 *
 * @throws as `readCertificateFiles`
 */
export async function shownCertificate(
  files: CertificateFiles | undefined,
  authority: Authority,
  { feed, now }: Pick<Context, 'feed' | 'now'>,
): Promise<ServerCertificate> {
  return files ? readCertificateFiles(files, feed.host, now()) : ownCertificate(feed.host, authority, now());
}

/**
 * Checks what only sites would notice otherwise.
 *
 * @param host where sites are told to connect
 * @throws `file-unreadable`, `config-invalid` for files that do not fit each other, the date or the host
 */
export async function readCertificateFiles(
  files: CertificateFiles,
  host: string,
  now: Date,
): Promise<ServerCertificate> {
  const [cert, key] = [await pem(files.cert), await pem(files.key)];
  const certificate = parsed(files.cert, () => new X509Certificate(cert));
  const privateKey = parsed(files.key, () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw serverError('config-invalid', `The key ${files.key} does not belong to the certificate ${files.cert}.`);
  }
  if (certificate.validToDate <= now) {
    throw serverError('config-invalid', `The certificate ${files.cert} ended on ${certificate.validTo}.`);
  }
  const isForHost = isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host);
  if (isForHost === undefined) {
    const why = `The certificate ${files.cert} is not for ${host}, where license files tell sites to connect`;
    throw serverError('config-invalid', `${why} (--public-feed).`);
  }
  return { cert, key };
}

async function ownCertificate(host: string, authority: Authority, now: Date): Promise<ServerCertificate> {
  const { publicKey, privateKey } = await crypto.subtle.generateKey(ES256, true, ['sign', 'verify']);
  const until = new Date(Math.min(now.getTime() + OWN_MS, authority.certificate.notAfter.getTime()));
  const certificate = await serverCertificate(authority, { host, publicKey, now, until });
  const key = PemConverter.encode(await crypto.subtle.exportKey('pkcs8', privateKey), PemConverter.PrivateKeyTag);
  return { cert: certificate.toString('pem'), key };
}

async function pem(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(cause => {
    throw serverError('file-unreadable', `${path} cannot be read: ${reasonOf(cause)}.`, { cause });
  });
}

function parsed<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw serverError('config-invalid', `${path} holds nothing usable in PEM.`, { cause });
  }
}
