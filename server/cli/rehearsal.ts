// `rollover license rehearsal` and `rehearsals`: upgrades that were tried out for a license, as somebody attests.
import { Command } from 'commander';
import { type Terminal, table } from '../../terminal.ts';
import type { RehearsalView } from '../licenses/rehearsals.ts';
import { type ServiceOptions, serviceOf, withService } from './options.ts';
import { allOf, type ListOptions, withPages } from './pages.ts';

export function rehearsalCommand(terminal: () => Terminal): Command {
  return withService(new Command('rehearsal'))
    .argument('<license>', 'its id, as `rollover license list` shows it')
    .argument('<from>', 'version from which')
    .argument('<to>', 'version to which')
    .description('attest that an upgrade was rehearsed; steps that demand it are open to the sites of the license')
    .addHelpText('after', REHEARSAL_HELP)
    .requiredOption('--evidence <text>', 'how it was tried out, and where that is written down')
    .action(async (id: string, from: string, to: string, flags: ServiceOptions & { readonly evidence: string }) => {
      const api = await serviceOf(flags);
      const rehearsal = await api.post<RehearsalView>(pathOf(id), { from, to, evidence: flags.evidence });
      terminal().result(rehearsal, `The step from ${from} to ${to} is attested for license ${id}.`);
    });
}

const REHEARSAL_HELP = `
Example:
  rollover license rehearsal lic-… 4.2.0 5.0.0 --evidence 'in the laboratory, report 17'`;

export function rehearsalsCommand(terminal: () => Terminal): Command {
  return withPages(withService(new Command('rehearsals')))
    .argument('<license>', 'its id, as `rollover license list` shows it')
    .description('what was rehearsed for a license, newest first')
    .addHelpText('after', '\nExample:\n  rollover license rehearsals lic-…')
    .action(async (id: string, flags: ServiceOptions & ListOptions) => {
      const rehearsals = await allOf<RehearsalView>(await serviceOf(flags), pathOf(id), flags.limit);
      const rows = rehearsals.map(({ from, to, at, actor, evidence }) => [from, to, at, actor, evidence]);
      terminal().result(rehearsals, table(['from', 'to', 'attested', 'by', 'evidence'], rows));
    });
}

function pathOf(license: string): string {
  return `/v1/licenses/${encodeURIComponent(license)}/rehearsals`;
}
