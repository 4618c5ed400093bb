// `rollover agent activation-request` and `activation-response`: activation of a site that the vendor is to know of, without a
// network between them.
import { hostname } from 'node:os';
import { Command, Option } from 'commander';
import { parseName, parsePath } from '../../arguments.ts';
import { type Hardware, hardwareSchema } from '../../bundles/index.ts';
import { writeFileAtomic } from '../../signing/index.ts';
import type { Terminal } from '../../terminal.ts';
import { withData } from './options.ts';

/** What every way of activating asks. */
export interface SiteFlags {
  readonly data: string;
  readonly name: string;
  readonly channel?: string;
  readonly hardware: Hardware;
  readonly rootFingerprint?: string;
}

/** Adds what describes the site. */
export function withSiteOptions(command: Command): Command {
  return command
    .option('--name <name>', 'what people call this site', parseName, hostname())
    .option('--channel <name>', 'channel to follow (default: the license’s first)')
    .addOption(new Option('--hardware <kind>', 'what the nodes are').choices(hardwareSchema.options).default('x86_64'))
    .option('--root-fingerprint <sha256>', 'refuse a file that trusts another root of trust than this');
}

/** The choice that the options make. */
export function siteChoice({ name, hardware, channel, rootFingerprint }: SiteFlags) {
  return {
    name,
    hardware,
    ...(channel === undefined ? {} : { channel }),
    ...(rootFingerprint === undefined ? {} : { fingerprint: rootFingerprint }),
  };
}

export function activationRequestCommand(terminal: () => Terminal): Command {
  return withSiteOptions(withData(new Command('activation-request')))
    .argument('<license-file>', 'the file that the vendor sent', parsePath)
    .argument('<out>', 'where to write the request; carry it to the vendor', parsePath)
    .description('ask for activation without a network; safe to run again')
    .addHelpText('after', '\nExample:\n  rollover agent activation-request acme.license.json north.request')
    .action(async (licenseFile: string, out: string, flags: SiteFlags) => {
      const { requestActivation } = await import('../update/offline-activation.ts');
      const { site, text } = await requestActivation({ directory: flags.data, licenseFile, ...siteChoice(flags) });
      await writeFileAtomic(out, `${text}\n`);
      terminal().result(
        { site: site.site, name: site.name, license: site.licenseId, file: out },
        `The request of site ${site.name} (${site.site}) is in ${out}; it holds no secret.\nThe vendor answers it: rollover license activate-offline ${site.licenseId} ${out} RESPONSE`,
      );
    });
}

export function activationResponseCommand(terminal: () => Terminal): Command {
  return withData(new Command('activation-response'))
    .argument('<file>', 'the vendor’s response', parsePath)
    .description('take the response to an activation request: the site is activated')
    .addHelpText('after', '\nExample:\n  rollover agent activation-response north.response')
    .action(async (file: string, flags: { readonly data: string }) => {
      const { takeResponse } = await import('../update/offline-activation.ts');
      const { site: id, name, licenseId, product, channel } = await takeResponse(flags.data, file, new Date());
      terminal().result(
        { site: id, name, license: licenseId, product, channel, connected: false },
        `Site ${name} (${id}) follows ${product}/${channel} under license ${licenseId}, without a network.`,
      );
    });
}
