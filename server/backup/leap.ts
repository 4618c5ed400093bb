// How far the numbers of a restored service leap. Sites take nothing that is older than what they have followed, and what the service
// issued after the backup is known to sites only: so the numbers go on above whatever it can have issued. docs/decisions/0019.
import { serverError } from '../errors.ts';

/** On the average since the backup: metadata and bulletins are signed one by one, under a lock, for what people have done. */
const VERSIONS_PER_SECOND = 4;
/** For bad days: all that two cores can sign in six hours. */
const VERSIONS_BURST = 1_000_000;
/** Documents for sites: each is a call, a query and a signature. 2^53 is two hundred years away. */
const SEQUENCES_PER_SECOND = 1_000_000;
const SEQUENCES_BURST = 1_000_000_000;

export interface Leap {
  /** Of snapshots, timestamps and bulletins. */
  readonly versions: number;
  /** Of the service's word to sites. */
  readonly sequence: number;
}

/**
 * What was issued at most between the backup and now.
 *
 * @throws `backup-numbers` for a clock that is behind the backup: then nobody knows
 */
export function leapSince(takenAt: Date, now: Date): Leap {
  const seconds = Math.ceil((now.getTime() - takenAt.getTime()) / 1000);
  if (seconds < 0) {
    const clock = `The clock of this machine says ${now.toISOString()}`;
    throw serverError('backup-numbers', `${clock}; the backup was taken at ${takenAt.toISOString()}.`);
  }
  return {
    versions: VERSIONS_BURST + VERSIONS_PER_SECOND * seconds,
    sequence: SEQUENCES_BURST + SEQUENCES_PER_SECOND * seconds,
  };
}
