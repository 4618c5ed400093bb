// `rollover trust renew`: a later expiry for what the pipeline signs, and a proposal of one for what people sign.
import { Command } from 'commander';
import type { Terminal } from '../../../terminal.ts';
import { DEFAULT_LIFE_MS } from '../../ceremony/expiry.ts';
import { writeProposal } from '../../ceremony/proposal-file.ts';
import { renewTargets, rootRenewal } from '../../ceremony/renew.ts';
import { signersOf } from '../../pipeline/vendor-keys.ts';
import { type ServiceOptions, serviceOf, withKeys, withService } from '../options.ts';
import { futureDate } from './arguments.ts';
import { followWithOfflineSnapshot } from './offline-renewal.ts';
import { type OfflineFlags, offlineTerms, restrictDaysOption, warnDaysOption } from './offline-terms.ts';
import { proposalText } from './proposal-view.ts';

interface RenewFlags extends ServiceOptions, OfflineFlags {
  readonly keys: string;
  readonly out: string;
}

export function renewCommand(terminal: () => Terminal): Command {
  return withKeys(withService(new Command('renew')))
    .description('renew targets, channels and the offline snapshot, and propose a renewal of root')
    .option('--out <file>', 'where to write the proposal for the root signers', 'root-renewal.proposal')
    .option('--expires <date>', 'last day, as 2027-12-31 (default: in a year)', futureDate)
    .addOption(warnDaysOption())
    .addOption(restrictDaysOption())
    .addHelpText('after', EXAMPLE)
    .action(async (flags: RenewFlags) => {
      const api = await serviceOf(flags);
      const now = new Date();
      const expiresMs = flags.expires ?? now.getTime() + DEFAULT_LIFE_MS;
      const signers = await signersOf(flags.keys, 'targets');
      const renewed = new Map(await renewTargets(api, signers, expiresMs, now));
      await followWithOfflineSnapshot(terminal(), api, flags.keys, offlineTerms(flags, now), renewed);
      const root = await rootRenewal(api, expiresMs, now);
      await writeProposal(flags.out, root);
      const what = [...renewed].map(([role, version]) => `${role} ${version}`).join(', ');
      const expires = new Date(expiresMs).toISOString();
      terminal().result(
        { renewed: Object.fromEntries(renewed), expires, proposal: flags.out },
        `Renewed until ${expires.slice(0, 10)}: ${what}.\n\n${proposalText(root)}\n\nThe proposal for root is in ${flags.out}. Send it to the root signers.`,
      );
    });
}

const EXAMPLE = `
Example:
  rollover trust renew --out root-renewal.proposal`;
