// What time it is at least. A cut-off site has no honest clock: a dead battery says 1970, and in 1970 nothing has expired yet.
// What the vendor's offline keys have signed was signed at some time, so it is later than that.
//
// Only times under offline keys count: a stolen online key that dates something to 2099 would stop a site for good.
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from './atomic-file.ts';
import { readStateFile } from './state-file.ts';

const schema = z.strictObject({ highestSigned: z.iso.datetime() });

export interface ReferenceTime {
  /** The highest time seen under a signature; undefined while nothing has been seen. */
  readonly highestSigned: Date | undefined;
  /** The clock, or the highest signed time where the clock is behind it. */
  now(clock: Date): Date;
  /** Remembers a signed time. It never goes back. */
  advance(signed: Date): Promise<void>;
}

/**
 * Reads the reference time of a trust state.
 *
 * @param directory where the trust state is kept
 * @throws `trust-state-damaged`
 */
export async function referenceTime(directory: string): Promise<ReferenceTime> {
  const path = join(directory, 'time.json');
  const stored = await readStateFile(path, schema);
  let highest = stored && new Date(stored.highestSigned);
  return {
    get highestSigned() {
      return highest;
    },
    now: clock => (highest && highest > clock ? highest : clock),
    async advance(signed) {
      if (highest && signed <= highest) return;
      await writeFileAtomic(path, JSON.stringify({ highestSigned: signed.toISOString() }));
      highest = signed;
    },
  };
}
