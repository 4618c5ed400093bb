// `rollover license rehearsal`: attests that an upgrade was tried out for a license.
import { Command } from 'commander';
import type { Terminal } from '../../terminal.ts';
import type { RehearsalView } from '../licenses/rehearsals.ts';
import { type ServiceOptions, serviceOf, withService } from './options.ts';

export function rehearsalCommand(terminal: () => Terminal): Command {
  return withService(new Command('rehearsal'))
    .argument('<license>', 'its id')
    .argument('<from>', 'version from which')
    .argument('<to>', 'version to which')
    .description('attest that an upgrade was rehearsed; steps that demand it are open to the sites of the license')
    .requiredOption('--evidence <text>', 'how it was tried out, and where that is written down')
    .action(async (id: string, from: string, to: string, flags: ServiceOptions & { readonly evidence: string }) => {
      const api = await serviceOf(flags);
      const path = `/v1/licenses/${encodeURIComponent(id)}/rehearsals`;
      const rehearsal = await api.post<RehearsalView>(path, { from, to, evidence: flags.evidence });
      terminal().result(rehearsal, `The step from ${from} to ${to} is attested for license ${id}.`);
    });
}
