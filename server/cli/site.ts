// `rollover site`: the clusters that use the vendor's licenses, and what they have reported.
import { readFile } from 'node:fs/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { parsePath } from '../../arguments.ts';
import { SEALED_REPORT_BYTES, type SiteStatus } from '../../bundles/index.ts';
import { reasonOf } from '../../signing/index.ts';
import { duration, type Terminal, table, withoutControls } from '../../terminal.ts';
import { serverError } from '../errors.ts';
import type { SiteEvent } from '../sites/history.ts';
import { SITE_HEALTHS, SITE_STATES, type SiteFilters, type SiteView } from '../sites/search.ts';
import { type ServiceOptions, serviceOf, withService } from './options.ts';
import { allOf, type ListOptions, withPages } from './pages.ts';
import { siteSupportCommand } from './support.ts';

interface ListFlags extends ServiceOptions, ListOptions, Partial<SiteFilters> {}

export function siteCommand(terminal: () => Terminal): Command {
  const command = new Command('site').description('the clusters that use your licenses');
  const one = (name: string) =>
    withService(command.command(name)).argument('<site>', 'its id, as `rollover site list` shows it');

  withPages(withService(command.command('list')))
    .description('what they run, by name')
    .option('--license <id>', 'only those of this license')
    .option('--version <version>', 'only those that run this version')
    .addOption(new Option('--health <health>', 'only those that are well, or not').choices(SITE_HEALTHS))
    .addOption(new Option('--state <state>', 'only those whose rollover is so far').choices(SITE_STATES))
    .option('--q <text>', 'only those with this in name or id')
    .option('--seen-before <time>', 'only those not seen since, as 2026-11-23 or 2026-11-23T12:00:00Z', parseTime)
    .action(async (flags: ListFlags) => {
      const sites = await allOf<SiteView>(await serviceOf(flags), `/v1/sites?${queryOf(flags)}`, flags.limit);
      const rows = sites.map(({ id, name, version, health, state, nodes, via, lastSeenAt }) => [
        id,
        name,
        version ?? '',
        health,
        state,
        String(nodes),
        via ?? '',
        lastSeenAt,
      ]);
      terminal().result(
        sites,
        table(['site', 'name', 'version', 'health', 'rollover', 'nodes', 'via', 'last seen'], rows),
      );
    });

  one('show')
    .description('one of them, as it has last reported')
    .addHelpText('after', '\nExample:\n  rollover site show site-…')
    .action(async (id: string, flags: ServiceOptions) => {
      const site = await (await serviceOf(flags)).get<SiteView>(pathOf(id));
      terminal().result(site, siteText(site));
    });

  withPages(one('events'))
    .description('what has changed there, newest first')
    .addHelpText('after', '\nExample:\n  rollover site events site-…')
    .action(async (id: string, flags: ServiceOptions & ListOptions) => {
      const events = await allOf<SiteEvent>(await serviceOf(flags), `${pathOf(id)}/events`, flags.limit);
      const rows = events.map(({ at, type, details }) => [at, type, detailsText(details as object)]);
      terminal().result(events, table(['at', 'what', 'details'], rows));
    });

  withService(command.command('import-receipt'))
    .argument('<file>', 'what `rollover agent receipt` wrote', parsePath)
    .description('take what a site without a network has to say')
    .addHelpText('after', '\nExample:\n  rollover site import-receipt receipt.json')
    .action(async (file: string, flags: ServiceOptions) => {
      const receipt = await readReceipt(file);
      const api = await serviceOf(flags);
      const { site, status } = await api.post<{ site: string; status: string }>('/v1/receipts', receipt);
      const text = status === 'older' ? 'is not newer than what is known' : 'is taken';
      terminal().result({ site, status }, `The receipt of site ${site} ${text}. rollover site show ${site}`);
    });

  one('remove')
    .description('forget a cluster that is gone; its seat of the license is free again')
    .addHelpText('after', '\nExample:\n  rollover site remove site-…')
    .action(async (id: string, flags: ServiceOptions) => {
      await (await serviceOf(flags)).remove(pathOf(id));
      terminal().result({ id, status: 'removed' }, `Site ${id} is forgotten; its license has a seat more.`);
    });
  return command.addCommand(siteSupportCommand(terminal));
}

function pathOf(id: string): string {
  return `/v1/sites/${encodeURIComponent(id)}`;
}

function queryOf(filters: Partial<SiteFilters>): string {
  const { license, version, health, state, q, seenBefore } = filters;
  const given = Object.entries({ license, version, health, state, q, seenBefore });
  return String(new URLSearchParams(given.filter((entry): entry is [string, string] => entry[1] !== undefined)));
}

function siteText(site: SiteView): string {
  const { progress, problems = [], waitsFor = [], nodes = {}, available } = (site.report ?? {}) as Partial<SiteStatus>;
  const states = Object.entries(nodes).map(([state, count]) => `${count} ${state}`);
  const lines = [
    `site       ${site.name} (${site.id}), license ${site.license}`,
    `installed  ${site.version ?? 'nothing known'}${available === undefined ? '' : `; ${available} is offered`}`,
    `health     ${site.health}`,
    ...problems.map(problem => `problem    ${problem}`),
    ...waitsFor.map(reason => `waits for  ${reason}`),
    `rollover   ${site.state}${progress ? progressText(progress) : ''}`,
    `nodes      ${site.nodes}${states.length > 0 ? `: ${states.join(', ')}` : ''}`,
    `agent      ${site.agentVersion ?? 'unknown'}`,
    `last seen  ${site.lastSeenAt}${site.via === null ? ', has not reported yet' : `, by ${site.via}`}`,
  ];
  return lines.map(withoutControls).join('\n');
}

function progressText({ target, phase, done, total, etaMs }: NonNullable<SiteStatus['progress']>): string {
  const eta = etaMs === undefined ? '' : `, about ${duration(etaMs)} left`;
  return ` to ${target}: ${phase}, ${done} of ${total} nodes${eta}`;
}

function detailsText(details: object): string {
  return Object.entries(details)
    .map(([key, value]) => `${key} ${value}`)
    .join(', ');
}

async function readReceipt(path: string): Promise<unknown> {
  const bytes = await readFile(path).catch(cause => {
    throw serverError('file-unreadable', `The receipt ${path} cannot be read: ${reasonOf(cause)}.`, { cause });
  });
  try {
    if (bytes.length > SEALED_REPORT_BYTES) throw new RangeError('too large');
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw serverError('report-refused', `${path} is no receipt.`, { cause });
  }
}

function parseTime(text: string): string {
  const time = new Date(/^\d{4}-\d\d-\d\d(T[\d:.]+Z)?$/.test(text) ? text : Number.NaN);
  if (!Number.isNaN(time.getTime())) return time.toISOString();
  throw new InvalidArgumentError('Use a day such as 2026-11-23, or a time such as 2026-11-23T12:00:00Z.');
}
