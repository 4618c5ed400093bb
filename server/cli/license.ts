// `rollover license`: the license desk.
import { open, rm } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import { parseLastDay, parsePath } from '../../arguments.ts';
import type { LicenseFile } from '../../bundles/index.ts';
import { reasonOf } from '../../signing/index.ts';
import { type Terminal, table } from '../../terminal.ts';
import { serverError } from '../errors.ts';
import type { LicenseView } from '../licenses/licenses.ts';
import { certificateCommand, certificatesCommand, revokeCertificateCommand } from './certificate.ts';
import { type ServiceOptions, serviceOf, withService } from './options.ts';
import { allOf, type ListOptions, withPages } from './pages.ts';
import { rehearsalCommand, rehearsalsCommand } from './rehearsal.ts';

const MORE = [rehearsalCommand, rehearsalsCommand, certificateCommand, certificatesCommand, revokeCertificateCommand];

interface IssueFlags extends ServiceOptions {
  readonly customer: string;
  readonly product: string;
  readonly channel: readonly string[];
  readonly nodes: number;
  readonly sites: number;
  readonly expires?: string;
  readonly out: string;
}

export function licenseCommand(terminal: () => Terminal): Command {
  const command = new Command('license').description('issue, list and revoke licenses');

  withService(command.command('issue'))
    .description('issue a license; writes the license file for the customer')
    .addHelpText(
      'after',
      '\nExamples:\n  rollover license issue --customer Acme --product cloud --out acme.license.json\n  rollover license issue --customer Acme --product cloud --channel stable edge --nodes 40 --expires 2027-12-31 --out acme.license.json',
    )
    .requiredOption('--customer <name>', 'whose license it is')
    .requiredOption('--product <name>', 'what it is for')
    .option('--channel <name...>', 'channels it may follow', ['stable'])
    .option('--nodes <n>', 'how many nodes it covers', positive, 100)
    .option('--sites <n>', 'how many clusters it covers', positive, 1)
    .option('--expires <date>', 'last day, as 2027-12-31 (default: never)', parseLastDay)
    .requiredOption('--out <file>', 'where to write the license file (it is a secret: mode 0600)', parsePath)
    .action(async (flags: IssueFlags) => {
      const api = await serviceOf(flags);
      const { customer, product, channel: channels, nodes, sites, expires: expiresAt } = flags;
      const order = { customer, product, channels, nodes, sites, expiresAt };
      const issued = await writeLicenseFile(flags.out, () => api.post<Issued>('/v1/licenses', order));
      terminal().result(
        { id: issued.id, file: flags.out },
        `License ${issued.id} for ${customer}: ${flags.out}\nThe file holds the entitlement key; it is the only copy. Send it over a channel you trust.`,
      );
    });

  withPages(withService(command.command('list')))
    .description('all licenses, newest first')
    .addHelpText('after', '\nExamples:\n  rollover license list\n  rollover license list --limit 5 -o json')
    .action(async (flags: ServiceOptions & ListOptions) => {
      const licenses = await allOf<LicenseView>(await serviceOf(flags), '/v1/licenses', flags.limit);
      const rows = licenses.map(l => [
        l.id,
        l.customer,
        l.product,
        l.channels.join(' '),
        l.status,
        String(l.nodes),
        String(l.sites),
        l.expiresAt ?? 'never',
      ]);
      const headings = ['license', 'customer', 'product', 'channels', 'status', 'nodes', 'sites', 'expires'];
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
  for (const make of MORE) command.addCommand(make(terminal));
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

function positive(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new InvalidArgumentError('Use a whole number above zero.');
}
