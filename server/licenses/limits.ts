// What a license covers and what is in use of it: pure. More than the limit never harms what runs; the policy says what it means
// for what is new.
import type { Overage } from '../../signing/index.ts';

export const LIMITED = ['nodes', 'sites'] as const;

export type Limited = (typeof LIMITED)[number];

export type Counts = Readonly<Record<Limited, number>>;

/** What there is more of than the license covers. */
export function overOf(limits: Counts, used: Counts): readonly Limited[] {
  return LIMITED.filter(what => used[what] > limits[what]);
}

/** Whether one more may be taken up. */
export function hasRoom(overage: Overage, used: number, limit: number): boolean {
  return overage !== 'refuse' || used < limit;
}

/** Whether the vendor is told: when the limit is passed, and not each time after. */
export function passesLimit(overage: Overage, before: number, after: number, limit: number): boolean {
  return overage === 'warn' && before <= limit && after > limit;
}

/**
 * How many seats of a pool a site is given.
 *
 * @param others seats that other sites of the license have leased
 */
export function grantedSeats(overage: Overage, pool: number, others: number, wanted: number): number {
  return overage === 'refuse' ? Math.min(wanted, Math.max(0, pool - others)) : wanted;
}
