// What the license says to the operator of this site: a trial, and more nodes than it covers. Pure. Too many nodes stop the next
// rollover where the license says so; they never stop what runs, nor a rollover that has begun.
import type { SeatLease } from '../../bundles/index.ts';
import { counted, type Overage } from '../../signing/index.ts';

/** What the site's license document says. */
export interface LicenseClaims {
  readonly limits: { readonly nodes: number };
  readonly expiresAt?: string | undefined;
  readonly trial?: true | undefined;
  readonly overage?: Overage | undefined;
  readonly floating?: true | undefined;
}

export interface LicenseUse {
  /** Nodes that count for the license. */
  readonly nodes: number;
  /** False for a site that cannot lease seats: of a floating license it then goes by the whole pool. */
  readonly connected: boolean;
  /** The last lease; undefined before the first. */
  readonly lease: SeatLease | undefined;
  readonly now: Date;
}

/** What keeps the next rollover from beginning. */
export function limitObjections(claims: LicenseClaims, use: LicenseUse): readonly string[] {
  const { overage = 'refuse' } = claims;
  return overage === 'refuse' ? excess(claims, use) : [];
}

/** What the operator should know; nothing waits for it. */
export function licenseWarnings(claims: LicenseClaims, use: LicenseUse): readonly string[] {
  const { trial, expiresAt, overage } = claims;
  const until = expiresAt === undefined ? '' : ` until ${expiresAt.slice(0, 10)}`;
  return [
    ...(trial ? [`This is a trial license${until}.`] : []),
    ...(overage === 'warn' ? excess(claims, use).map(text => `${text} Ask the vendor for more.`) : []),
  ];
}

function excess(claims: LicenseClaims, use: LicenseUse): readonly string[] {
  const has = `the cluster has ${use.nodes}.`;
  if (!claims.floating || !use.connected) {
    const most = claims.limits.nodes;
    return use.nodes > most ? [`The license allows ${counted(most, 'node')}, ${has}`] : [];
  }
  const { lease, now } = use;
  const most = lease && Date.parse(lease.until) > now.getTime() ? lease.granted : 0;
  return use.nodes > most
    ? [`The license, which several sites share, gives this one ${counted(most, 'seat')}; ${has}`]
    : [];
}
