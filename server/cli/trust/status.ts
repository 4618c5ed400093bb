// `rollover trust status`: who has signed a proposal, or when what is published expires and who its signers are.
import { Command } from 'commander';
import { editRoot } from '../../../signing/index.ts';
import { type Terminal, table } from '../../../terminal.ts';
import { expiriesOf } from '../../ceremony/expiry.ts';
import { missingFrom } from '../../ceremony/offline-snapshot.ts';
import { readProposal } from '../../ceremony/proposal-file.ts';
import { publishedRole, readPublishedRoles } from '../../ceremony/published-roles.ts';
import { nameOf, perClass } from '../../ceremony/requirements.ts';
import { serverError } from '../../errors.ts';
import type { ApiClient } from '../../pipeline/api-client.ts';
import { OFFLINE_ROLES } from '../../pipeline/vendor-keys.ts';
import { type ServiceOptions, serviceOf, withService } from '../options.ts';
import { withOutput } from '../pages.ts';
import { proposalText, proposalView } from './proposal-view.ts';

export function statusCommand(terminal: () => Terminal): Command {
  return withOutput(withService(new Command('status')))
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
      if (status.unlisted.length > 0) {
        const list = status.unlisted.join(', ');
        warnings.push(`Warning: the offline snapshot does not list ${list}: \`rollover trust renew\` makes the next.`);
      }
      out.result(status, [...tables, ...warnings].join('\n\n'));
    });
}

async function publishedStatus(api: ApiClient) {
  const { roots, targets, snapshot, offlineSnapshot } = await readPublishedRoles(api);
  const root = roots.at(-1);
  if (!root) throw serverError('trust-missing', `The service at ${api.url} has no root of trust yet.`);
  const files = new Map([['root', root], ...targets]);
  const others = { snapshot, timestamp: await publishedRole(api, 'timestamp'), 'offline-snapshot': offlineSnapshot };
  for (const [role, bytes] of Object.entries(others)) if (bytes) files.set(role, bytes);
  const { roles, names } = editRoot(root);
  const signers = OFFLINE_ROLES.flatMap(role => {
    const policy = roles[role];
    return (policy ? perClass(role, role, policy) : []).map(({ class: kind, threshold, keys }) => {
      return { role, class: kind, threshold, names: keys.map(key => nameOf(key, names)) };
    });
  });
  const unlisted = offlineSnapshot && snapshot ? missingFrom(offlineSnapshot, { root, snapshot }) : [];
  return { roles: expiriesOf(files, Date.now()), signers, unlisted };
}

const EXAMPLE = `
Examples:
  rollover trust status
  rollover trust status bob-lost.proposal`;
