// `rollover trust publish`: a proposal that enough people have signed goes to the service.
import { Command } from 'commander';
import type { Terminal } from '../../../terminal.ts';
import { fingerprintAfter } from '../../ceremony/proposal.ts';
import { readProposal } from '../../ceremony/proposal-file.ts';
import { publishProposal } from '../../ceremony/publish-proposal.ts';
import { type ServiceOptions, serviceOf, withKeys, withService } from '../options.ts';
import { followWithOfflineSnapshot } from './offline-renewal.ts';
import { offlineTerms } from './offline-terms.ts';

export function publishCommand(terminal: () => Terminal): Command {
  return withKeys(withService(new Command('publish')))
    .argument('<proposal>', 'a proposal that is signed by enough')
    .description('publish what a proposal changes, all of it or nothing; safe to run again')
    .addHelpText('after', EXAMPLE)
    .action(async (path: string, flags: ServiceOptions & { readonly keys: string }) => {
      const proposal = await readProposal(path);
      const api = await serviceOf(flags);
      const versions = new Map(await publishProposal(api, proposal));
      if (!versions.has('offline-snapshot')) {
        await followWithOfflineSnapshot(terminal(), api, flags.keys, offlineTerms({}, new Date()), versions);
      }
      const fingerprint = fingerprintAfter(proposal);
      const what = [...versions].map(([role, version]) => `${role} ${version}`).join(', ');
      terminal().result(
        { status: 'published', roles: Object.fromEntries(versions), fingerprint },
        `Published: ${what}.\nThe SHA-256 of root 1 is ${fingerprint}.`,
      );
    });
}

const EXAMPLE = `
Example:
  rollover trust publish bob-lost.proposal`;
