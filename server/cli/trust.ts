// `rollover trust`: the vendor's root of trust.
import { Command } from 'commander';
import { counted } from '../../signing/index.ts';
import type { Terminal } from '../../terminal.ts';
import { setUpRoot } from '../ceremony/first-root.ts';
import { serverError } from '../errors.ts';
import { OFFLINE_ROLES } from '../pipeline/vendor-keys.ts';
import { type ServiceOptions, serviceOf, withKeys, withService } from './options.ts';
import { count } from './trust/arguments.ts';
import { keyCommand } from './trust/key.ts';
import { publishCommand } from './trust/publish.ts';
import { renewCommand } from './trust/renew.ts';
import { requestCommand } from './trust/request.ts';
import { mergeCommand, signCommand } from './trust/sign.ts';
import { statusCommand } from './trust/status.ts';

/** In the order of a ceremony. */
const CEREMONY = [keyCommand, requestCommand, signCommand, mergeCommand, statusCommand, publishCommand, renewCommand];

interface InitFlags extends ServiceOptions {
  readonly keys: string;
  readonly rootKeys: number;
  readonly rootThreshold: number;
  readonly targetsKeys: number;
  readonly targetsThreshold: number;
  readonly offlineSnapshotKeys: number;
  readonly offlineSnapshotThreshold: number;
}

export function trustCommand(terminal: () => Terminal): Command {
  const command = new Command('trust').description('the root of trust: who may sign what');
  withKeys(withService(command.command('init')))
    .description('make the offline keys and publish the first root (once for each service)')
    .option('--root-keys <n>', 'keys of the root role', count, 1)
    .option('--root-threshold <n>', 'how many of them have to sign', count, 1)
    .option('--targets-keys <n>', 'keys of the release-signing role', count, 1)
    .option('--targets-threshold <n>', 'how many of them have to sign', count, 1)
    .option('--offline-snapshot-keys <n>', 'keys of the role that vouches for sticks', count, 1)
    .option('--offline-snapshot-threshold <n>', 'how many of them have to sign', count, 1)
    .addHelpText('after', INIT_EXAMPLE)
    .action(async (flags: InitFlags) => {
      const keys = {
        root: flags.rootKeys,
        targets: flags.targetsKeys,
        'offline-snapshot': flags.offlineSnapshotKeys,
      };
      const thresholds = {
        root: flags.rootThreshold,
        targets: flags.targetsThreshold,
        'offline-snapshot': flags.offlineSnapshotThreshold,
      };
      for (const role of OFFLINE_ROLES) requireReachable(role, thresholds[role], keys[role]);
      const { fingerprint } = await setUpRoot(await serviceOf(flags), {
        keysDirectory: flags.keys,
        keys,
        thresholds,
        nowMs: Date.now(),
      });
      terminal().result(
        { status: 'set up', root: 1, fingerprint, keys: flags.keys },
        `Root 1 is published; its SHA-256 is ${fingerprint}.\nThe signing keys are in ${flags.keys}: keep them offline, and keep a copy.`,
      );
    });
  for (const make of CEREMONY) command.addCommand(make(terminal));
  return command;
}

const INIT_EXAMPLE = `
Example, for a start; docs/root-ceremony.md is for keys that people keep on machines of their own:
  rollover trust init --keys /media/keys`;

function requireReachable(role: string, threshold: number, keys: number): void {
  if (threshold > keys)
    throw serverError('config-invalid', `A threshold of ${threshold} needs more than ${counted(keys, `${role} key`)}.`);
}
