// `rollover member`: the people of your organization, and what each may do.
import { Argument, Command, Option } from 'commander';
import { type Terminal, table } from '../../terminal.ts';
import type { NewInvitation } from '../access/invitations.ts';
import type { MemberView } from '../access/members.ts';
import { ROLE_NAMES, type Role } from '../access/scopes.ts';
import { serverError } from '../errors.ts';
import type { Page } from '../http/paging.ts';
import type { ApiClient } from '../pipeline/api-client.ts';
import { type ServiceOptions, serviceOf, withService } from './options.ts';
import { allOf, type ListOptions, withPages } from './pages.ts';

export function memberCommand(terminal: () => Terminal): Command {
  const command = new Command('member').description('the people of your organization, and what each may do');
  const member = () => new Argument('<member>', 'address or id');

  withService(command.command('invite'))
    .argument('<email>', 'address of the person')
    .description('invite somebody; prints the one-time token to hand over')
    .addHelpText('after', '\nExample:\n  rollover member invite ada@example.com --role release-manager')
    .addOption(new Option('--role <role>', 'what they may do').choices(ROLE_NAMES).makeOptionMandatory())
    .action(async (email: string, { role, ...flags }: ServiceOptions & { readonly role: Role }) => {
      const invited = await (await serviceOf(flags)).post<NewInvitation>('/v1/invitations', { email, role });
      terminal().result(
        invited,
        `${invited.email} is invited as ${role}, until ${invited.expiresAt}:\n${invited.token}\nThis is the only time that it is shown. Hand it over on a channel you trust.`,
      );
    });

  withPages(withService(command.command('list')))
    .description('who belongs to it, first joined first')
    .action(async (flags: ServiceOptions & ListOptions) => {
      const members = await allOf<MemberView>(await serviceOf(flags), '/v1/members', flags.limit);
      const rows = members.map(m => [
        m.id,
        m.email,
        m.name,
        m.role,
        m.provider ?? (m.secondStep ? 'password and code' : 'password'),
        m.disabled ? 'shut out' : '',
      ]);
      terminal().result(members, table(['member', 'e-mail', 'name', 'role', 'signs in by', ''], rows));
    });

  withService(command.command('role'))
    .addArgument(member())
    .addArgument(new Argument('<role>', 'what they may do from now on').choices(ROLE_NAMES))
    .description('give a member another role')
    .addHelpText('after', '\nExample:\n  rollover member role ada@example.com owner')
    .action(async (who: string, role: Role, flags: ServiceOptions) => {
      const api = await serviceOf(flags);
      const changed = await api.patch<MemberView>(`/v1/members/${encodeURIComponent(await idOf(api, who))}`, { role });
      terminal().result(changed, `${changed.email} is ${role} now.`);
    });

  withService(command.command('remove'))
    .addArgument(member())
    .description('remove a member; the tokens they have made are revoked')
    .addHelpText('after', '\nExample:\n  rollover member remove ada@example.com')
    .action(async (who: string, flags: ServiceOptions) => {
      const api = await serviceOf(flags);
      const id = await idOf(api, who);
      await api.remove(`/v1/members/${encodeURIComponent(id)}`);
      terminal().result({ id, status: 'removed' }, `${who} is no member any more; what they have made is revoked.`);
    });
  return command;
}

/** @throws `not-found` */
async function idOf(api: ApiClient, who: string): Promise<string> {
  if (!who.includes('@')) return who;
  const { items } = await api.get<Page<MemberView>>(`/v1/members?${new URLSearchParams({ email: who })}`);
  if (items[0]) return items[0].id;
  throw serverError('not-found', `There is no member ${who}.`);
}
