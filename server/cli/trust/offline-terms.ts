// The options of the offline snapshot: until when it holds, and what sites may do after that.
import { Option } from 'commander';
import { DEFAULT_LIFE_MS } from '../../ceremony/expiry.ts';
import type { OfflineTerms } from '../../ceremony/offline-snapshot.ts';
import { days } from './arguments.ts';

export interface OfflineFlags {
  readonly expires?: number;
  readonly warnDays?: number;
  readonly restrictDays?: number;
}

export function warnDaysOption(): Option {
  return new Option(
    '--warn-days <n>',
    'how long after its expiry an offline snapshot still holds, with a warning',
  ).argParser(days);
}

export function restrictDaysOption(): Option {
  return new Option('--restrict-days <n>', 'how much longer it holds for all but new versions').argParser(days);
}

export function offlineTerms({ expires, warnDays, restrictDays }: OfflineFlags, now: Date): OfflineTerms {
  return {
    expiresMs: expires ?? now.getTime() + DEFAULT_LIFE_MS,
    signedMs: now.getTime(),
    grace: {
      ...(warnDays === undefined ? {} : { warnDays }),
      ...(restrictDays === undefined ? {} : { restrictDays }),
    },
  };
}
