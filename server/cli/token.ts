// `rollover token`: tokens of pipelines, each with what it may do.
import { Command, Option } from 'commander';
import { parseLastDay, parseName } from '../../arguments.ts';
import { type Terminal, table } from '../../terminal.ts';
import { SCOPES, type Scope } from '../access/scopes.ts';
import type { NewToken, TokenView } from '../access/tokens.ts';
import { type ServiceOptions, serviceOf, withService } from './options.ts';
import { allOf, type ListOptions, withPages } from './pages.ts';

interface CreateFlags extends ServiceOptions {
  readonly scope: readonly Scope[];
  readonly product?: readonly string[];
  readonly expires?: string;
}

export function tokenCommand(terminal: () => Terminal): Command {
  const command = new Command('token').description('tokens for pipelines: what each may do, and for how long');

  withService(command.command('create'))
    .argument('<name>', 'what the audit log calls it', parseName)
    .description('make a token, for no more than you may do yourself; it is shown once')
    .addOption(new Option('--scope <scope...>', 'what it may do').choices(SCOPES).makeOptionMandatory())
    .option('--product <name...>', 'for these products only (default: for all)')
    .option('--expires <date>', 'last day, as 2027-12-31 (default: never)', parseLastDay)
    .addHelpText(
      'after',
      '\nExample:\n  rollover token create nightly --scope release:read release:write --product cloud',
    )
    .action(async (name: string, { scope: scopes, product: products, expires: expiresAt, ...flags }: CreateFlags) => {
      const api = await serviceOf(flags);
      const made = await api.post<NewToken>('/v1/tokens', { name, scopes, products, expiresAt });
      terminal().result(made, `Token ${name} (${made.id}):\n${made.token}\nThis is the only time that it is shown.`);
    });

  withPages(withService(command.command('list')))
    .description('all that are not revoked, newest first')
    .action(async (flags: ServiceOptions & ListOptions) => {
      const tokens = await allOf<TokenView>(await serviceOf(flags), '/v1/tokens', flags.limit);
      const rows = tokens.map(token => [
        token.id,
        token.name,
        scopesText(token.scopes),
        token.products?.join(' ') ?? 'all',
        token.createdBy ?? '',
        token.expiresAt ?? 'never',
        token.lastUsedAt ?? 'never',
      ]);
      const headings = ['token', 'name', 'scopes', 'products', 'made by', 'expires', 'last used'];
      terminal().result(tokens, table(headings, rows));
    });

  withService(command.command('revoke'))
    .argument('<token>', 'its id, as `rollover token list` shows it')
    .description('make a token good for nothing, at once')
    .addHelpText('after', '\nExample:\n  rollover token revoke tok-…')
    .action(async (id: string, flags: ServiceOptions) => {
      await (await serviceOf(flags)).remove(`/v1/tokens/${encodeURIComponent(id)}`);
      terminal().result({ id, status: 'revoked' }, `Token ${id} is revoked.`);
    });
  return command;
}

function scopesText(scopes: readonly Scope[]): string {
  return scopes.length === SCOPES.length ? 'all' : scopes.join(' ');
}
