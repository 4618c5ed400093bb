// `rollover license show`, `history`, `renew`, `change`, `transfer`, `suspend` and `resume`.
import { Command } from 'commander';
import { parseLastDay, parsePositive } from '../../arguments.ts';
import { type Terminal, table } from '../../terminal.ts';
import { serverError } from '../errors.ts';
import type { HistoryEntry } from '../licenses/listing.ts';
import type { LicenseView } from '../licenses/view.ts';
import { type PolicyFlags, policiesOf, withPolicies } from './license-policies.ts';
import { type ServiceOptions, serviceOf, withService } from './options.ts';
import { allOf, type ListOptions, withPages } from './pages.ts';

export function showCommand(terminal: () => Terminal): Command {
  return aboutLicense('show')
    .description('one license, and what is in use of it')
    .addHelpText('after', '\nExample:\n  rollover license show lic-…')
    .action(async (id: string, flags: ServiceOptions) => {
      const license = await (await serviceOf(flags)).get<LicenseView>(pathOf(id));
      terminal().result(license, textOf(license));
    });
}

export function historyCommand(terminal: () => Terminal): Command {
  return withPages(aboutLicense('history'))
    .description('what was done to a license, newest first')
    .addHelpText('after', '\nExample:\n  rollover license history lic-…')
    .action(async (id: string, flags: ServiceOptions & ListOptions) => {
      const entries = await allOf<HistoryEntry>(await serviceOf(flags), `${pathOf(id)}/history`, flags.limit);
      const rows = entries.map(({ at, actor, action, details }) => [at, actor, action, JSON.stringify(details)]);
      terminal().result(entries, table(['at', 'who', 'what', 'details'], rows));
    });
}

export function renewCommand(terminal: () => Terminal): Command {
  return aboutLicense('renew')
    .description('give a license a new end, or none; a trial becomes an ordinary license')
    .addHelpText('after', '\nExample:\n  rollover license renew lic-… --expires 2027-12-31')
    .option('--expires <date>', 'last day, as 2027-12-31', parseLastDay)
    .option('--perpetual', 'it does not end')
    .action(async (id: string, flags: ServiceOptions & { readonly expires?: string; readonly perpetual?: boolean }) => {
      const { expires, perpetual } = flags;
      if ((expires === undefined) === (perpetual === undefined)) {
        throw serverError('request-invalid', 'Say until when: --expires or --perpetual.');
      }
      const license = await post(flags, id, 'renew', { expiresAt: expires ?? null });
      terminal().result(license, `License ${id} is ${license.type}, and ends ${license.expiresAt ?? 'never'}.`);
    });
}

interface ChangeFlags extends ServiceOptions, PolicyFlags {
  readonly nodes?: number;
  readonly sites?: number;
  readonly channel?: readonly string[];
  readonly feature?: readonly string[];
  readonly ifRevision?: number;
}

export function changeCommand(terminal: () => Terminal): Command {
  return withPolicies(aboutLicense('change'))
    .description('change what a license covers; what runs goes on')
    .addHelpText('after', '\nExample:\n  rollover license change lic-… --nodes 80 --overage warn')
    .option('--nodes <n>', 'how many nodes it covers', parsePositive)
    .option('--sites <n>', 'how many clusters it covers', parsePositive)
    .option('--channel <name...>', 'channels it may follow, all of them')
    .option('--feature <name...>', 'features that it includes, all of them')
    .option('--no-floating', 'each of its sites may have all of its nodes')
    .option('--if-revision <n>', 'only if nobody has changed it since this revision', parsePositive)
    .action(async (id: string, flags: ChangeFlags) => {
      const { nodes, sites, channel: channels, feature: features } = flags;
      const change = { nodes, sites, channels, features, ...policiesOf(flags) };
      const license = await (await serviceOf(flags)).patch<LicenseView>(pathOf(id), change, flags.ifRevision);
      terminal().result(license, textOf(license));
    });
}

export function transferCommand(terminal: () => Terminal): Command {
  return aboutLicense('transfer')
    .description('make a license another customer’s; its file stays good until it is rekeyed')
    .addHelpText('after', '\nExample:\n  rollover license transfer lic-… --customer Bcme')
    .requiredOption('--customer <name>', 'whose it is from now on')
    .option('--release-sites', 'forget its sites, so that their seats are free')
    .action(
      async (id: string, flags: ServiceOptions & { readonly customer: string; readonly releaseSites?: boolean }) => {
        const { customer, releaseSites } = flags;
        const license = await post(flags, id, 'transfer', { customer, releaseSites });
        terminal().result(license, `License ${id} belongs to ${customer}.`);
      },
    );
}

export function suspendCommand(terminal: () => Terminal): Command {
  return aboutLicense('suspend')
    .description('no connections, updates and activations until it is resumed; running clusters keep running')
    .addHelpText('after', "\nExample:\n  rollover license suspend lic-… --reason 'unpaid since March'")
    .requiredOption('--reason <text>', 'why')
    .action(async (id: string, flags: ServiceOptions & { readonly reason: string }) => {
      const license = await post(flags, id, 'suspend', { reason: flags.reason });
      terminal().result(license, `License ${id} is suspended.`);
    });
}

export function resumeCommand(terminal: () => Terminal): Command {
  return aboutLicense('resume')
    .description('end a suspension')
    .addHelpText('after', '\nExample:\n  rollover license resume lic-…')
    .action(async (id: string, flags: ServiceOptions) => {
      const license = await post(flags, id, 'resume', {});
      terminal().result(license, `License ${id} is active.`);
    });
}

/** A command about the license that it names first. */
export function aboutLicense(name: string): Command {
  return withService(new Command(name)).argument('<license>', 'its id');
}

export function pathOf(id: string): string {
  return `/v1/licenses/${encodeURIComponent(id)}`;
}

async function post(flags: ServiceOptions, id: string, deed: string, body: object): Promise<LicenseView> {
  return (await serviceOf(flags)).post<LicenseView>(`${pathOf(id)}/${deed}`, body);
}

function textOf(license: LicenseView): string {
  const { usage, expiry, suspendedReason } = license;
  const reason = suspendedReason === null ? '' : ` (${suspendedReason})`;
  const atEnd = expiry?.strategy === 'grace' ? `grace of ${expiry.days} days` : (expiry?.strategy ?? 'keep');
  const rows = [
    ['customer', license.customer],
    ['product', `${license.product}: ${license.channels.join(' ')}`],
    ['features', license.features.join(' ')],
    ['status', `${license.status}${reason}`],
    ['type', license.type],
    ['ends', `${license.expiresAt ?? 'never'} (${atEnd})`],
    ['nodes', `${usage.nodes} of ${license.nodes}${license.floating ? ', shared by its sites' : ''}`],
    ['sites', `${usage.sites} of ${license.sites}`],
    ['more', `${license.overage}${usage.over.length > 0 ? `; now too many ${usage.over.join(' and ')}` : ''}`],
    ['revision', String(license.revision)],
  ];
  return table(['license', license.id], rows);
}
