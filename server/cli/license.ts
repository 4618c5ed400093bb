// `rollover license`: the license desk.
import { open, rm } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { parseDayEnd, parseLastDay, parsePath, parsePositive } from '../../arguments.ts';
import type { LicenseFile } from '../../bundles/index.ts';
import { reasonOf } from '../../signing/index.ts';
import { type Terminal, table } from '../../terminal.ts';
import { serverError } from '../errors.ts';
import { LICENSE_STATUSES } from '../licenses/status.ts';
import type { LicenseView } from '../licenses/view.ts';
import { certificateCommand, certificatesCommand, revokeCertificateCommand } from './certificate.ts';
import {
  changeCommand,
  historyCommand,
  renewCommand,
  resumeCommand,
  showCommand,
  suspendCommand,
  transferCommand,
} from './license-lifecycle.ts';
import { activateOfflineCommand } from './license-offline.ts';
import { type PolicyFlags, policiesOf, withPolicies } from './license-policies.ts';
import { type ServiceOptions, serviceOf, withService } from './options.ts';
import { allOf, type ListOptions, withPages } from './pages.ts';
import { rehearsalCommand, rehearsalsCommand } from './rehearsal.ts';

const LIFECYCLE = [
  showCommand,
  historyCommand,
  renewCommand,
  changeCommand,
  transferCommand,
  suspendCommand,
  resumeCommand,
  activateOfflineCommand,
];
const MORE = [rehearsalCommand, rehearsalsCommand, certificateCommand, certificatesCommand, revokeCertificateCommand];

interface IssueFlags extends ServiceOptions, PolicyFlags {
  readonly customer: string;
  readonly product: string;
  readonly channel: readonly string[];
  readonly nodes: number;
  readonly sites: number;
  readonly feature: readonly string[];
  readonly expires?: string;
  readonly trial?: boolean;
  readonly out: string;
}

interface ListFlags extends ServiceOptions, ListOptions {
  readonly customer?: string;
  readonly product?: string;
  readonly status?: string;
  readonly expiresBefore?: string;
}

export function licenseCommand(terminal: () => Terminal): Command {
  const command = new Command('license').description('issue licenses, and look after them');

  withPolicies(withService(command.command('issue')))
    .description('issue a license; writes the license file for the customer')
    .addHelpText(
      'after',
      '\nExamples:\n  rollover license issue --customer Acme --product cloud --out acme.license.json\n  rollover license issue --customer Acme --product cloud --channel stable edge --nodes 40 --expires 2027-12-31 --out acme.license.json',
    )
    .requiredOption('--customer <name>', 'whose license it is')
    .requiredOption('--product <name>', 'what it is for')
    .option('--channel <name...>', 'channels it may follow', ['stable'])
    .option('--nodes <n>', 'how many nodes it covers', parsePositive, 100)
    .option('--sites <n>', 'how many clusters it covers', parsePositive, 1)
    .option('--feature <name...>', 'features that it includes', [])
    .option('--expires <date>', 'last day, as 2027-12-31 (default: never)', parseLastDay)
    .option('--trial', 'a trial: it has an end, and the site says so')
    .requiredOption('--out <file>', 'where to write the license file (it is a secret: mode 0600)', parsePath)
    .action(async (flags: IssueFlags) => {
      const api = await serviceOf(flags);
      const { customer, product, channel: channels, nodes, sites, expires: expiresAt } = flags;
      const { feature: features, trial } = flags;
      const order = { customer, product, channels, nodes, sites, features, expiresAt, trial, ...policiesOf(flags) };
      const issued = await writeLicenseFile(flags.out, () => api.post<Issued>('/v1/licenses', order));
      terminal().result(
        { id: issued.id, file: flags.out },
        `License ${issued.id} for ${customer}: ${flags.out}\nThe file holds the entitlement key; it is the only copy. Send it over a channel you trust.`,
      );
    });

  withPages(withService(command.command('list')))
    .description('licenses, newest first')
    .addHelpText('after', '\nExamples:\n  rollover license list\n  rollover license list --limit 5 -o json')
    .option('--customer <name>', 'of this customer')
    .option('--product <name>', 'for this product')
    .addOption(new Option('--status <status>', 'in this status').choices(LICENSE_STATUSES))
    .option('--expires-before <date>', 'that end until this day, as 2027-12-31; the last to end first', parseDayEnd)
    .action(async ({ customer, product, status, expiresBefore, limit, ...service }: ListFlags) => {
      const filter = Object.entries({ customer, product, status, expiresBefore }).filter(
        ([, value]) => value !== undefined,
      );
      const query = new URLSearchParams(filter as [string, string][]);
      const licenses = await allOf<LicenseView>(await serviceOf(service), `/v1/licenses?${query}`, limit);
      const rows = licenses.map(l => [
        l.id,
        l.customer,
        l.product,
        l.channels.join(' '),
        l.type,
        l.status,
        `${l.usage.nodes}/${l.nodes}`,
        `${l.usage.sites}/${l.sites}`,
        l.expiresAt ?? 'never',
      ]);
      const headings = ['license', 'customer', 'product', 'channels', 'type', 'status', 'nodes', 'sites', 'expires'];
      terminal().result(licenses, table(headings, rows));
    });

  withService(command.command('rekey'))
    .argument('<license>', 'its id, as `rollover license list` shows it')
    .description('give a license a new key; the old license file opens nothing more')
    .addHelpText('after', '\nExample:\n  rollover license rekey lic-… --out acme-2.license.json')
    .requiredOption('--out <file>', 'where to write the new license file (it is a secret: mode 0600)', parsePath)
    .action(async (id: string, flags: ServiceOptions & { readonly out: string }) => {
      const api = await serviceOf(flags);
      const issued = await writeLicenseFile(flags.out, () =>
        api.post<Issued>(`/v1/licenses/${encodeURIComponent(id)}/rekey`, {}),
      );
      terminal().result(
        { id: issued.id, file: flags.out },
        `License ${issued.id} has a new key: ${flags.out}\nSend it over a channel you trust; sites activate with it again.`,
      );
    });

  withService(command.command('revoke'))
    .argument('<license>', 'its id, as `rollover license list` shows it')
    .description('end a license: no new connections and updates for it; running clusters keep running')
    .addHelpText('after', '\nExample:\n  rollover license revoke lic-…')
    .action(async (id: string, flags: ServiceOptions) => {
      await (await serviceOf(flags)).post(`/v1/licenses/${encodeURIComponent(id)}/revoke`, {});
      terminal().result({ id, status: 'revoked' }, `License ${id} is revoked.`);
    });
  for (const make of [...LIFECYCLE, ...MORE]) command.addCommand(make(terminal));
  return command;
}

interface Issued {
  readonly id: string;
  readonly file: LicenseFile;
}

/** Takes the file name before the license is made: its only copy must not be lost to a mistyped path. */
async function writeLicenseFile(path: string, issue: () => Promise<Issued>): Promise<Issued> {
  const file = await open(path, 'wx', 0o600).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'EEXIST') throw serverError('file-exists', `${path} exists already.`, { cause });
    throw serverError('file-unreadable', `${path} cannot be written: ${reasonOf(cause)}.`, { cause });
  });
  try {
    const issued = await issue();
    await file.writeFile(`${JSON.stringify(issued.file, null, 2)}\n`);
    await file.sync();
    return issued;
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}
