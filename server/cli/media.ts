// `rollover media export`: a release on a stick, for one license.
import { Command } from 'commander';
import { exportMedia } from '../../airgap/index.ts';
import { parsePath } from '../../arguments.ts';
import { bytes, quoted, type Terminal } from '../../terminal.ts';
import { serverError } from '../errors.ts';
import type { LicenseView } from '../licenses/view.ts';
import { apiSource } from '../pipeline/api-source.ts';
import { type ServiceOptions, serviceOf, withService } from './options.ts';
import { type SiteFlags, siteQuery, withSite } from './site-options.ts';

interface ExportFlags extends ServiceOptions, SiteFlags {
  readonly license: string;
  readonly channel?: string;
  readonly from?: string;
}

export function mediaExportCommand(terminal: () => Terminal): Command {
  return withSite(withService(new Command('export')))
    .argument('<directory>', 'where to write: a mounted stick, or any folder', parsePath)
    .description('write the newest release, or a site’s next one, for one license; safe to run again')
    .addHelpText('after', EXPORT_HELP)
    .requiredOption('--license <id>', 'the license of the site')
    .option('--channel <name>', 'channel to take the release from (default: the license’s first)')
    .option('--from <version>', 'version that the site runs: write the next one on its path (default: the newest)')
    .action(async (directory: string, flags: ExportFlags) => {
      const out = terminal();
      out.resumable();
      const api = await serviceOf(flags);
      const license = await api.get<LicenseView>(`/v1/licenses/${encodeURIComponent(flags.license)}`);
      const channel = flags.channel ?? (license.channels[0] as string);
      if (!license.channels.includes(channel)) {
        const what = `License ${license.id} does not include the channel ${channel}`;
        throw serverError('license-refused', `${what}; it has ${license.channels.join(', ')}.`);
      }
      const firstRoot = await api.bytes('/v1/metadata/1.root.json');
      if (!firstRoot) throw serverError('trust-missing', `The service at ${api.url} has no root of trust yet.`);
      const progress = out.progress('copying');
      const exported = await exportMedia({
        directory,
        product: license.product,
        channel,
        license: license.id,
        site: flags.from === undefined ? undefined : siteQuery(flags.from, flags),
        source: apiSource(api, license.id),
        firstRoot,
        segmentsOf: async manifest => {
          type Answer = { segments: { name: string; size: number }[] };
          return (await api.get<Answer>(`/v1/manifests/${manifest}/segments`)).segments;
        },
        now: new Date(),
        onProgress: (done, total) => progress.update(done, total),
      }).finally(() => progress.end());
      const { product, version, objects, writtenBytes, validUntil } = exported;
      for (const sentence of exported.path) out.say(sentence);
      const size = `${objects} objects, ${bytes(exported.bytes)}, of which ${bytes(writtenBytes)} were written now`;
      out.result(
        exported,
        `${product} ${version} is in ${directory}: ${size}.\nValid until ${validUntil}: import it before, or export again.\nTake it to the site and run there: rollover media import ${quoted(directory)}`,
      );
    });
}

const EXPORT_HELP = `
Examples:
  rollover media export /media/stick --license lic-…
  rollover media export /media/stick --license lic-… --from 3.1.0

With --from, the other options say what is known of the site: what is not known counts against a step.`;
