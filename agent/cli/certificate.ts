// `rollover agent certificate`, and the options that it shares with `rollover agent activate`: connecting with a certificate
// where the license's key cannot be used.
import { Command } from 'commander';
import { parsePath, parsePort } from '../../arguments.ts';
import { askPassphrase } from '../../signing/index.ts';
import type { Terminal } from '../../terminal.ts';
import type { CertificateChoice } from '../update/certificate.ts';
import { withData } from './options.ts';

export interface CertificateFlags {
  readonly passphraseFile?: string;
  readonly ca?: string;
  readonly mtlsPort?: number;
}

/** Adds what goes with a certificate. */
export function withCertificateOptions(command: Command): Command {
  return command
    .option('--passphrase-file <path>', 'file or descriptor with its passphrase (default: asked for)', parsePath)
    .option('--ca <file>', 'who signs the service’s own certificate, PEM (default: as the .p12 file says)', parsePath)
    .option('--mtls-port <number>', 'the service’s port for it (default: as the license file says)', parsePort);
}

/** The choice that the options make for this file. */
export async function certificateChoice(file: string, flags: CertificateFlags): Promise<CertificateChoice> {
  return {
    file,
    passphrase: await askPassphrase(`Passphrase of ${file}: `, flags.passphraseFile),
    ...(flags.ca === undefined ? {} : { authorityFile: flags.ca }),
    ...(flags.mtlsPort === undefined ? {} : { port: flags.mtlsPort }),
  };
}

export function certificateCommand(terminal: () => Terminal): Command {
  return withCertificateOptions(withData(new Command('certificate')))
    .argument('<file>', 'the .p12 file that the vendor sent', parsePath)
    .description('connect with this certificate from now on: the first one of an activated site, or its next one')
    .addHelpText('after', '\nExample:\n  rollover agent certificate acme-2.p12')
    .action(async (file: string, flags: CertificateFlags & { readonly data: string }) => {
      const { certificateEnd, replaceCertificate } = await import('../update/certificate.ts');
      const site = await replaceCertificate(flags.data, await certificateChoice(file, flags), new Date());
      const until = certificateEnd(site)?.toISOString();
      terminal().result(
        { site: site.site, name: site.name, license: site.licenseId, certificateUntil: until },
        `Site ${site.name} connects with this certificate, until ${until}. An agent that runs has to be started again.`,
      );
    });
}
