// The seats that this site has leased of a floating license. Kept on disk: they hold for a day, also when the agent is started anew
// while the service is out of reach.
import { join } from 'node:path';
import { type SeatLease, seatLeaseSchema } from '../../bundles/index.ts';
import { readFileIfAny, writeFileAtomic } from '../../signing/index.ts';
import { feedClient } from './feed-client.ts';
import type { Site } from './site.ts';

/** Asks for as many seats as there are nodes. @throws what the feed client throws */
export async function leaseSeats(directory: string, site: Site, wanted: number): Promise<SeatLease> {
  const feed = feedClient(site);
  try {
    const lease = await feed.seats({ site: site.site, wanted });
    await writeFileAtomic(seatsPath(directory), `${JSON.stringify(lease)}\n`);
    return lease;
  } finally {
    feed.close();
  }
}

/** The last lease; undefined for none, and for one that cannot be read: the next question brings it again. */
export async function readSeats(directory: string): Promise<SeatLease | undefined> {
  const bytes = await readFileIfAny(seatsPath(directory));
  if (!bytes) return undefined;
  try {
    return seatLeaseSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch {
    return undefined;
  }
}

function seatsPath(directory: string): string {
  return join(directory, 'seats.json');
}
