// Yanks: a release is named to no site any more, and the bulletin of its channel says so, at once. What runs it keeps its wraps,
// for recovery; the upgrade graph says the same under the vendor's own keys once it is signed.
import type { Yank } from '../../bundles/index.ts';
import { type Actor, audit } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import { ownedBy } from '../db/owned.ts';
import { serverError } from '../errors.ts';
import { requireRevision } from '../http/revision.ts';
import { announce } from '../rollouts/bulletins.ts';
import { emit } from '../webhooks/emit.ts';
import { type ReleaseRow, type ReleaseView, view } from './releases.ts';

export type YankReasons = Omit<Yank, 'at'>;

/**
 * Withdraws a published release. Again, it corrects what is said about it.
 *
 * @param seen the revision that the caller has seen
 * @throws `not-found`, `precondition-failed`
 */
export function yankRelease(
  tenant: Tenant,
  id: string,
  { reason, advice }: YankReasons,
  seen: number | undefined,
  actor: Actor,
): Promise<ReleaseView> {
  return tenant.db.transaction().execute(async db => {
    const row = await published(tenant, db, id, seen);
    if (row.yank_reason === reason && row.yank_advice === advice) return view(row);
    const { product, channel, version, yanked_at } = row;
    const change = { yanked_at: yanked_at ?? tenant.now(), yank_reason: reason, yank_advice: advice };
    const changed = await update(db, row, change);
    await announce({ ...tenant, db }, product, channel);
    await emit(db, tenant, {
      type: 'release.yanked',
      data: { release: id, product, channel, version, reason, advice },
    });
    await audit(db, tenant, actor, 'release.yank', id, { product, channel, version });
    return view(changed);
  });
}

/** Takes a yank back. @throws `not-found`, `precondition-failed` */
export function unyankRelease(
  tenant: Tenant,
  id: string,
  seen: number | undefined,
  actor: Actor,
): Promise<ReleaseView> {
  return tenant.db.transaction().execute(async db => {
    const row = await published(tenant, db, id, seen);
    if (!row.yanked_at) return view(row);
    const { product, channel, version } = row;
    const changed = await update(db, row, { yanked_at: null, yank_reason: null, yank_advice: null });
    await announce({ ...tenant, db }, product, channel);
    await emit(db, tenant, { type: 'release.unyanked', data: { release: id, product, channel, version } });
    await audit(db, tenant, actor, 'release.unyank', id, { product, channel, version });
    return view(changed);
  });
}

/** Locked until the transaction ends. */
async function published(tenant: Tenant, db: Database, id: string, seen: number | undefined): Promise<ReleaseRow> {
  const own = db.selectFrom('releases').selectAll().where(ownedBy(tenant, 'releases')).where('id', '=', id);
  const row = await own.where('state', '=', 'published').forUpdate().executeTakeFirst();
  if (!row) throw serverError('not-found', `There is no published release ${id}.`);
  requireRevision(row.revision, seen);
  return row;
}

function update(
  db: Database,
  { id, revision }: ReleaseRow,
  change: Pick<ReleaseRow, 'yanked_at' | 'yank_reason' | 'yank_advice'>,
): Promise<ReleaseRow> {
  const changed = { ...change, revision: revision + 1 };
  return db.updateTable('releases').set(changed).where('id', '=', id).returningAll().executeTakeFirstOrThrow();
}
