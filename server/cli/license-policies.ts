// Options for what a license says about its limits and its end: for issuing it, and for changing it.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Expiry, OVERAGES, type Overage } from '../../signing/index.ts';

export interface PolicyFlags {
  readonly overage?: Overage;
  readonly atEnd?: Expiry | null;
  readonly floating?: boolean;
}

/** Adds them. */
export function withPolicies(command: Command): Command {
  return command
    .addOption(
      new Option('--overage <policy>', 'what more nodes or sites than it covers mean: for new ones only').choices(
        OVERAGES,
      ),
    )
    .option(
      '--at-end <strategy>',
      'what its end means: keep (what was published before it stays open), grace:DAYS, or lock',
      parseExpiry,
    )
    .option('--floating', 'its sites share its nodes, by leases');
}

/** What the options say; nothing of what they do not. */
export function policiesOf({ overage, atEnd, floating }: PolicyFlags) {
  return {
    ...(overage === undefined ? {} : { overage }),
    ...(atEnd === undefined ? {} : { expiry: atEnd }),
    ...(floating === undefined ? {} : { floating }),
  };
}

function parseExpiry(text: string): Expiry | null {
  if (text === 'keep') return null;
  if (text === 'lock') return { strategy: 'lock' };
  const days = /^grace:([1-9]\d{0,2})$/.exec(text)?.[1];
  if (days !== undefined) return { strategy: 'grace', days: Number(days) };
  throw new InvalidArgumentError('Use keep, lock, or grace with a number of days, such as grace:30.');
}
