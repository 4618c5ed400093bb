// The life of a license as one table: what may be done to it in which status, and what it is afterwards. The service obeys it, the
// document draws it (`docs/licenses.md`).
import type { LicenseStatus } from '../db/schema.ts';
import { serverError } from '../errors.ts';

export const LICENSE_STATUSES = ['active', 'suspended', 'revoked'] as const satisfies readonly LicenseStatus[];

/** By deed, from each status the one that follows. Where none is named, the deed is refused. */
export const LICENSE_DEEDS = {
  renew: { active: 'active', suspended: 'suspended' },
  change: { active: 'active', suspended: 'suspended' },
  transfer: { active: 'active', suspended: 'suspended' },
  rekey: { active: 'active' },
  suspend: { active: 'suspended' },
  resume: { suspended: 'active' },
  /** Repeating it changes nothing, and nothing leads back. */
  revoke: { active: 'revoked', suspended: 'revoked', revoked: 'revoked' },
} as const satisfies Readonly<Record<string, Readonly<Partial<Record<LicenseStatus, LicenseStatus>>>>>;

export type LicenseDeed = keyof typeof LICENSE_DEEDS;

/** The status after a deed. @throws `license-state` */
export function statusAfter(id: string, status: LicenseStatus, deed: LicenseDeed): LicenseStatus {
  const next: Readonly<Partial<Record<LicenseStatus, LicenseStatus>>> = LICENSE_DEEDS[deed];
  const after = next[status];
  if (after) return after;
  throw serverError(
    'license-state',
    `License ${id} is ${status}: ${deed} is for ${Object.keys(next).join(' or ')} ones.`,
  );
}
