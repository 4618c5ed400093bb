// `rollover trust request`: the coordinator writes down what is to change.
import { stat } from 'node:fs/promises';
import { Command, Option } from 'commander';
import type { Terminal } from '../../../terminal.ts';
import { DEFAULT_LIFE_MS } from '../../ceremony/expiry.ts';
import { proposeOfflineSnapshot } from '../../ceremony/offline-snapshot.ts';
import type { Proposal } from '../../ceremony/proposal.ts';
import { writeProposal } from '../../ceremony/proposal-file.ts';
import { readPublishedRoles } from '../../ceremony/published-roles.ts';
import { proposeFirst, proposeNext, type Request } from '../../ceremony/request.ts';
import { readCard, type SignerCard } from '../../ceremony/signer-card.ts';
import { serverError } from '../../errors.ts';
import type { ApiClient } from '../../pipeline/api-client.ts';
import { OFFLINE_ROLES, type OfflineRole } from '../../pipeline/vendor-keys.ts';
import { ONLINE_KEYS, type OnlineKeyName, type OnlineKeys } from '../../trust/setup.ts';
import { type ServiceOptions, serviceOf, withService } from '../options.ts';
import { count, futureDate } from './arguments.ts';
import { type OfflineFlags, offlineTerms, restrictDaysOption, warnDaysOption } from './offline-terms.ts';
import { proposalText, proposalView } from './proposal-view.ts';

interface RequestFlags extends ServiceOptions, OfflineFlags {
  readonly out: string;
  readonly addRootSigner?: readonly string[];
  readonly addTargetsSigner?: readonly string[];
  readonly removeRootSigner?: readonly string[];
  readonly removeTargetsSigner?: readonly string[];
  readonly rootThreshold?: number;
  readonly targetsThreshold?: number;
  readonly addOfflineSnapshotSigner?: readonly string[];
  readonly removeOfflineSnapshotSigner?: readonly string[];
  readonly offlineSnapshotThreshold?: number;
  readonly rotateOnlineKeys?: readonly OnlineKeyName[] | true;
  readonly renew?: readonly OfflineRole[];
}

export function requestCommand(terminal: () => Terminal): Command {
  return withService(new Command('request'))
    .description('write a proposal: what is to change, for others to sign')
    .requiredOption('--out <file>', 'where to write the proposal')
    .option('--add-root-signer <card...>', 'cards of new root signers (`trust key show`)')
    .option('--remove-root-signer <name...>', 'names of root signers to take out')
    .option('--root-threshold <n>', 'how many root signers have to sign', count)
    .option('--add-targets-signer <card...>', 'cards of new release signers')
    .option('--remove-targets-signer <name...>', 'names of release signers to take out')
    .option('--targets-threshold <n>', 'how many release signers have to sign', count)
    .option('--add-offline-snapshot-signer <card...>', 'cards of new signers of the offline snapshot')
    .option('--remove-offline-snapshot-signer <name...>', 'names of such signers to take out')
    .option('--offline-snapshot-threshold <n>', 'how many of them have to sign', count)
    .addOption(
      new Option('--rotate-online-keys [key...]', 'give the service new keys (default: all of them)').choices(
        ONLINE_KEYS,
      ),
    )
    .addOption(new Option('--renew <role...>', 'only a later expiry').choices(OFFLINE_ROLES))
    .option('--expires <date>', 'last day of what is proposed, as 2027-12-31 (default: in a year)', futureDate)
    .addOption(warnDaysOption())
    .addOption(restrictDaysOption())
    .addHelpText('after', EXAMPLE)
    .action(async (flags: RequestFlags) => {
      if (await stat(flags.out).catch(() => undefined)) {
        throw serverError('file-exists', `${flags.out} exists already.`);
      }
      const proposal = await proposed(await serviceOf(flags), flags);
      await writeProposal(flags.out, proposal);
      terminal().result(
        { file: flags.out, ...proposalView(proposal) },
        `${proposalText(proposal)}\n\nThe proposal is in ${flags.out}. Send it to the signers: rollover trust sign ${flags.out} --key …`,
      );
    });
}

async function proposed(api: ApiClient, flags: RequestFlags): Promise<Proposal> {
  const now = new Date();
  const published = await readPublishedRoles(api);
  if (flags.renew?.includes('offline-snapshot')) {
    if (flags.renew.length > 1 || Object.keys(flags).some(flag => /^(add|remove|rotate)|Threshold$/.test(flag))) {
      throw serverError('config-invalid', 'The offline snapshot is renewed in a proposal of its own.', {
        hint: 'It names what is published: publish the other changes first.',
      });
    }
    return proposeOfflineSnapshot(published, offlineTerms(flags, now), now.toISOString());
  }
  const request = await requestOf(flags, now);
  if (published.roots.length === 0) {
    return proposeFirst(request, await api.get<OnlineKeys>('/v1/trust/online-keys'), now.toISOString());
  }
  const keys = flags.rotateOnlineKeys === true ? ONLINE_KEYS : flags.rotateOnlineKeys;
  const online = keys ? await api.post<Partial<OnlineKeys>>('/v1/trust/next-online-keys', { keys }) : {};
  return proposeNext(published, request, online, now.toISOString());
}

async function requestOf(flags: RequestFlags, now: Date): Promise<Request> {
  const thresholds = {
    root: flags.rootThreshold,
    targets: flags.targetsThreshold,
    'offline-snapshot': flags.offlineSnapshotThreshold,
  };
  return {
    add: {
      root: await readCards(flags.addRootSigner),
      targets: await readCards(flags.addTargetsSigner),
      'offline-snapshot': await readCards(flags.addOfflineSnapshotSigner),
    },
    remove: {
      root: flags.removeRootSigner ?? [],
      targets: flags.removeTargetsSigner ?? [],
      'offline-snapshot': flags.removeOfflineSnapshotSigner ?? [],
    },
    thresholds: Object.fromEntries(Object.entries(thresholds).filter(([, n]) => n !== undefined)),
    renew: (flags.renew ?? []).filter(role => role !== 'offline-snapshot'),
    expiresMs: flags.expires ?? now.getTime() + DEFAULT_LIFE_MS,
  };
}

function readCards(paths: readonly string[] = []): Promise<readonly SignerCard[]> {
  return Promise.all(paths.map(readCard));
}

const EXAMPLE = `
Examples:
  rollover trust request --out first.proposal --add-root-signer alice.json bob.json carol.json --root-threshold 2 \\
                         --add-targets-signer release.json        # a service that has no root yet
  rollover trust request --out bob-lost.proposal --remove-root-signer bob --add-root-signer dave.json
  rollover trust request --out online.proposal --rotate-online-keys                 # after a break-in
  rollover trust request --out issuer.proposal --rotate-online-keys license-issuer
  rollover trust request --out renewal.proposal --renew root targets
  rollover trust request --out sticks.proposal --renew offline-snapshot    # after each release, when people sign it`;
