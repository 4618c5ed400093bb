// `rollover agent accept-risk`: an operator who has read about a risk of an upgrade lets this site go that way.
import { Command } from 'commander';
import type { Terminal } from '../../terminal.ts';
import { type AskFlags, ask, reaching } from './operate.ts';

export function acceptRiskCommand(terminal: () => Terminal): Command {
  return reaching(new Command('accept-risk'))
    .argument('<name>', 'the risk, as `rollover status` names it')
    .option('--undo', 'take it back')
    .description('let upgrades of this site pass a risk that the vendor names')
    .addHelpText('after', '\nExample:\n  rollover agent accept-risk kernel-raid-resync')
    .action(async (name: string, flags: AskFlags & { readonly undo?: boolean }) => {
      const accepted = !flags.undo;
      const result = await ask<{ readonly name: string }>(flags, '/api/risks', { name, accepted });
      const what = accepted ? 'is accepted' : 'is not accepted any more';
      terminal().result(result, `The risk ${name} ${what}. It counts from the next look for updates on.`);
    });
}
