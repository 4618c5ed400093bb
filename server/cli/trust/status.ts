// `rollover trust status`: who has signed a proposal, or when what is published expires and who its signers are.
import { Command } from 'commander';
import { editRoot } from '../../../signing/index.ts';
import { type Terminal, table } from '../../../terminal.ts';
import { expiriesOf } from '../../ceremony/expiry.ts';
import { readProposal } from '../../ceremony/proposal-file.ts';
import { publishedRole, readPublishedRoles } from '../../ceremony/published-roles.ts';
import { nameOf, perClass } from '../../ceremony/requirements.ts';
import { serverError } from '../../errors.ts';
import type { ApiClient } from '../../pipeline/api-client.ts';
import { type ServiceOptions, serviceOf, withService } from '../options.ts';
import { proposalText, proposalView } from './proposal-view.ts';

export function statusCommand(terminal: () => Terminal): Command {
  return withService(new Command('status'))
    .argument('[proposal]', 'a proposal; without one, what is published')
    .description('who has signed and who is missing; when published roles expire')
    .addHelpText('after', EXAMPLE)
    .action(async (path: string | undefined, flags: ServiceOptions) => {
      const out = terminal();
      if (path !== undefined) {
        const proposal = await readProposal(path);
        return out.result(proposalView(proposal), proposalText(proposal));
      }
      const status = await publishedStatus(await serviceOf(flags));
      const roles = status.roles.map(({ role, version, expires, daysLeft }) => {
        return [role, `${version}`, expires.slice(0, 10), `${daysLeft}`];
      });
      const signers = status.signers.map(({ role, class: kind, threshold, names }) => {
        return [role, kind, `${threshold} of ${names.length}`, names.join(', ')];
      });
      const tables = [
        table(['role', 'version', 'expires', 'days left'], roles),
        table(['role', 'class', 'needs', 'signers'], signers),
      ];
      const warnings = status.roles.flatMap(({ warning }) => (warning === undefined ? [] : [`Warning: ${warning}.`]));
      out.result(status, [...tables, ...warnings].join('\n\n'));
    });
}

async function publishedStatus(api: ApiClient) {
  const { roots, targets } = await readPublishedRoles(api);
  const root = roots.at(-1);
  if (!root) throw serverError('trust-missing', `The service at ${api.url} has no root of trust yet.`);
  const files = new Map([['root', root], ...targets]);
  for (const role of ['snapshot', 'timestamp']) {
    const bytes = await publishedRole(api, role);
    if (bytes) files.set(role, bytes);
  }
  const { roles, names } = editRoot(root);
  const signers = (['root', 'targets'] as const).flatMap(role =>
    perClass(role, role, roles[role]).map(({ class: kind, threshold, keys }) => {
      return { role, class: kind, threshold, names: keys.map(key => nameOf(key, names)) };
    }),
  );
  return { roles: expiriesOf(files, Date.now()), signers };
}

const EXAMPLE = `
Examples:
  rollover trust status
  rollover trust status bob-lost.proposal`;
