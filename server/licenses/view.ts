// A license as it is shown, with what is in use of it.
import type { Expiry, Overage } from '../../signing/index.ts';
import type { Tenant } from '../context.ts';
import type { LicenseStatus } from '../db/schema.ts';
import { expiryOf } from './document.ts';
import type { LicenseRow } from './licenses.ts';
import { type Counts, type Limited, overOf } from './limits.ts';

export type LicenseType = 'perpetual' | 'term' | 'trial';

export interface LicenseView {
  readonly id: string;
  readonly customer: string;
  readonly product: string;
  readonly channels: readonly string[];
  readonly features: readonly string[];
  readonly status: LicenseStatus;
  readonly suspendedReason: string | null;
  readonly type: LicenseType;
  readonly nodes: number;
  readonly sites: number;
  readonly overage: Overage;
  readonly expiry: Expiry | null;
  readonly floating: boolean;
  readonly usage: Usage;
  readonly expiresAt: string | null;
  readonly createdAt: string;
  readonly revision: number;
}

export interface Usage extends Counts {
  readonly over: readonly Limited[];
}

export async function viewOf(tenant: Tenant, row: LicenseRow): Promise<LicenseView> {
  const [view] = await viewsOf(tenant, [row]);
  return view as LicenseView;
}

/** Live nodes are those of the sites' last reports. */
export async function viewsOf({ db }: Tenant, rows: readonly LicenseRow[]): Promise<readonly LicenseView[]> {
  if (rows.length === 0) return [];
  const ids = rows.map(({ id }) => id);
  const { countAll, sum } = db.fn;
  const counted = await db
    .selectFrom('sites')
    .select(['license_id', countAll<string>().as('sites'), sum<string>('live_nodes').as('nodes')])
    .where('license_id', 'in', ids)
    .groupBy('license_id')
    .execute();
  const used = new Map(counted.map(({ license_id, nodes, sites }) => [license_id, counts(nodes, sites)]));
  return rows.map(row => view(row, used.get(row.id) ?? counts(0, 0)));
}

function counts(nodes: string | number, sites: string | number): Counts {
  return { nodes: Number(nodes), sites: Number(sites) };
}

function view(row: LicenseRow, used: Counts): LicenseView {
  const limits = { nodes: row.node_limit, sites: row.site_limit };
  return {
    id: row.id,
    customer: row.customer,
    product: row.product,
    channels: row.channels,
    features: row.features,
    status: row.status,
    suspendedReason: row.suspended_reason,
    type: row.trial ? 'trial' : row.expires_at ? 'term' : 'perpetual',
    ...limits,
    overage: row.overage,
    expiry: expiryOf(row) ?? null,
    floating: row.floating,
    usage: { ...used, over: overOf(limits, used) },
    expiresAt: row.expires_at?.toISOString() ?? null,
    createdAt: row.created_at.toISOString(),
    revision: row.revision,
  };
}
