// `rollover site`: the clusters that have reported.
import { Command } from 'commander';
import type { SiteReport } from '../../bundles/index.ts';
import { type Terminal, table } from '../../terminal.ts';
import type { SiteView } from '../sites/sites.ts';
import { type ServiceOptions, serviceOf, withService } from './options.ts';
import { allOf, type ListOptions, withPages } from './pages.ts';

export function siteCommand(terminal: () => Terminal): Command {
  const command = new Command('site').description('the clusters that use your licenses');
  withPages(withService(command.command('list')))
    .description('what they run, most recently seen first')
    .action(async (flags: ServiceOptions & ListOptions) => {
      const sites = await allOf<SiteView>(await serviceOf(flags), '/v1/sites', flags.limit);
      const rows = sites.map(site => {
        const report = site.report as SiteReport | null;
        return [
          site.id,
          site.name,
          report?.installed ?? '',
          report?.available ?? '',
          report?.rollover ?? '',
          site.lastSeenAt,
        ];
      });
      terminal().result(sites, table(['site', 'name', 'installed', 'available', 'rollover', 'last seen'], rows));
    });

  withService(command.command('remove'))
    .argument('<site>', 'its id, as `rollover site list` shows it')
    .description('forget a cluster that is gone; its seat of the license is free again')
    .addHelpText('after', '\nExample:\n  rollover site remove site-…')
    .action(async (id: string, flags: ServiceOptions) => {
      await (await serviceOf(flags)).remove(`/v1/sites/${encodeURIComponent(id)}`);
      terminal().result({ id, status: 'removed' }, `Site ${id} is forgotten; its license has a seat more.`);
    });
  return command;
}
