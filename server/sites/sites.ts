// Sites: the clusters that use a license. They register once (`activate.ts`); what they report is kept by `record.ts` and found by
// `search.ts`.
import { type Actor, audit } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import { ofOwnLicense } from '../db/owned.ts';
import { serverError } from '../errors.ts';
import { emit } from '../webhooks/emit.ts';

/**
 * Forgets a site, for a cluster that is gone: its seat of the license is free again. Nothing reaches the cluster by this; one
 * that lives on can be activated anew.
 *
 * @throws `not-found`
 */
export async function removeSite(tenant: Tenant, id: string, actor: Actor): Promise<void> {
  await tenant.db.transaction().execute(async db => {
    const own = db.deleteFrom('sites').where('id', '=', id).where(ofOwnLicense(tenant, 'license_id'));
    const { numDeletedRows } = await own.executeTakeFirstOrThrow();
    if (numDeletedRows === 0n) throw serverError('not-found', `There is no site ${id}.`);
    await emit(db, tenant, { type: 'site.removed', data: { site: id } });
    await audit(db, tenant, actor, 'site.remove', id);
  });
}
