// `rollover license certificate`, `certificates` and `revoke-certificate`: for sites that cannot use the license's key to
// connect. The private key is made here, on the vendor's machine, or at the customer's, and is never sent to the service.
import { type KeyObject, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import { parsePath } from '../../arguments.ts';
import { askNewPassphrase, packPkcs12, reasonOf, requireAscii, writeFileAtomic } from '../../signing/index.ts';
import { type Terminal, table } from '../../terminal.ts';
import type { CertificateView, IssuedCertificate } from '../certificates/certificates.ts';
import { serverError } from '../errors.ts';
import type { ApiClient } from '../pipeline/api-client.ts';
import { type ServiceOptions, serviceOf, withService } from './options.ts';
import { withOutput } from './pages.ts';

interface Flags extends ServiceOptions {
  readonly out: string;
  readonly csr?: string;
  readonly passphraseFile?: string;
}

export function certificateCommand(terminal: () => Terminal): Command {
  return withService(new Command('certificate'))
    .argument('<license>', 'its id, as `rollover license list` shows it')
    .description('issue a certificate that a site connects with instead of the license’s key (mutual TLS)')
    .requiredOption('--out <file>', 'where to write it: PKCS#12 with its private key (a secret: mode 0600)', parsePath)
    .option('--passphrase-file <path>', 'file or descriptor with a passphrase for it (default: asked for)', parsePath)
    .option('--csr <file>', 'a PKCS#10 request of the customer’s, who keeps the key; --out becomes PEM', parsePath)
    .addHelpText('after', EXAMPLE)
    .action(async (license: string, flags: Flags) => {
      const api = await serviceOf(flags);
      if (await stat(flags.out).catch(() => undefined)) {
        throw serverError('file-exists', `${flags.out} exists already.`);
      }
      const issued =
        flags.csr === undefined ? await packed(api, license, flags) : await signed(api, license, flags.csr, flags.out);
      const { serial, expiresAt, feed } = issued;
      const next =
        flags.csr === undefined
          ? 'Send it and its passphrase on different ways.'
          : 'The customer packs it with the key: openssl pkcs12 -export.';
      terminal().result(
        { serial, license, expiresAt, file: flags.out, host: feed.host, port: feed.mtlsPort },
        `Certificate ${serial} for ${license}, until ${expiresAt}: ${flags.out}\n${next}\nThe site shows it at ${feed.host}:${feed.mtlsPort}.`,
      );
    });
}

export function certificatesCommand(terminal: () => Terminal): Command {
  return withOutput(withService(new Command('certificates')))
    .argument('<license>', 'its id, as `rollover license list` shows it')
    .description('the certificates of a license, newest first')
    .addHelpText('after', '\nExample:\n  rollover license certificates lic-…')
    .action(async (license: string, flags: ServiceOptions) => {
      const api = await serviceOf(flags);
      const { certificates } = await api.get<{ certificates: CertificateView[] }>(pathOf(license));
      const rows = certificates.map(c => [c.serial, c.issuedAt, c.expiresAt, c.revokedAt ?? '']);
      terminal().result(certificates, table(['serial', 'issued', 'expires', 'revoked'], rows));
    });
}

export function revokeCertificateCommand(terminal: () => Terminal): Command {
  return withService(new Command('revoke-certificate'))
    .argument('<serial>', 'its serial number, as `rollover license certificates` lists it', serialNumber)
    .description('end one certificate; the license and its other certificates go on')
    .addHelpText('after', '\nExample:\n  rollover license revoke-certificate 4f0c…')
    .action(async (serial: string, flags: ServiceOptions) => {
      const revoked = await (await serviceOf(flags)).post<CertificateView>(`/v1/certificates/${serial}/revoke`, {});
      terminal().result(revoked, `Certificate ${serial} of ${revoked.license} is revoked.`);
    });
}

/** A key made here, certified and written under a passphrase. */
async function packed(api: ApiClient, license: string, { out, passphraseFile }: Flags): Promise<IssuedCertificate> {
  const passphrase = await askNewPassphrase(passphraseFile);
  requireAscii(passphrase);
  // Loaded here: the library takes longer to load than most commands run.
  const { newRequest } = await import('../certificates/request.ts');
  const { privateKey, request } = await newRequest();
  const issued = await issue(api, license, request);
  const [certificate, authority] = [new X509Certificate(issued.certificate), new X509Certificate(issued.authority)];
  requireOurs(certificate, privateKey);
  const bytes = packPkcs12({ privateKey, certificate, authorities: [authority] }, passphrase);
  await writeFileAtomic(out, bytes, 0o600);
  return issued;
}

async function signed(api: ApiClient, license: string, csr: string, out: string): Promise<IssuedCertificate> {
  const request = await readFile(csr, 'utf8').catch(cause => {
    throw serverError('file-unreadable', `${csr} cannot be read: ${reasonOf(cause)}.`, { cause });
  });
  const issued = await issue(api, license, request);
  await writeFileAtomic(out, `${issued.certificate.trim()}\n${issued.authority.trim()}\n`);
  return issued;
}

function issue(api: ApiClient, license: string, request: string): Promise<IssuedCertificate> {
  return api.post(pathOf(license), { request });
}

function requireOurs(certificate: X509Certificate, privateKey: KeyObject): void {
  if (certificate.checkPrivateKey(privateKey)) return;
  throw serverError('service-failed', 'The service answered with a certificate of another key.');
}

function pathOf(license: string): string {
  return `/v1/licenses/${encodeURIComponent(license)}/certificates`;
}

/** As other programs print it, too: in capitals, with colons. */
function serialNumber(text: string): string {
  const serial = text.replaceAll(':', '').toLowerCase();
  if (/^[0-9a-f]{32}$/.test(serial)) return serial;
  throw new InvalidArgumentError('A serial number has 32 hexadecimal digits.');
}

const EXAMPLE = `
Example:
  rollover license certificate lic-… --out acme.p12
  rollover agent activate acme.license.json --certificate acme.p12     (at the site)`;
