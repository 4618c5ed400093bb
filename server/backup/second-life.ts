// What a restored service does not take over from its first life: whatever was under way, whatever may have ended since, and numbers
// that sites have already seen. All of it in the transaction that restores, and told in the audit log of each organization.
import { sql } from 'kysely';
import { audit } from '../audit/audit.ts';
import { type Context, everyTenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import { leapSequence } from '../director/director.ts';
import { failUnderWay } from '../releases/publication.ts';
import { leapBulletins } from '../rollouts/bulletins.ts';
import { pauseRunning } from '../rollouts/rollouts.ts';
import { leapOnlineRoles } from '../trust/repository.ts';
import { leapSince } from './leap.ts';
import type { Manifest } from './manifest.ts';

const ACTION = 'service.restore';

/** Of people who may have signed out, and of publications whose processes are gone. Everything else is kept: docs/operations.md. */
const ENDED = [
  'delete from sessions',
  'delete from leases',
  'update users set recovery_hash = null, recovery_until = null where recovery_hash is not null',
];

export interface Restoring {
  readonly manifest: Manifest;
  /** Tells this restoring from others of the same backup. */
  readonly restoring: string;
}

/** @param context its `db` is the transaction */
export async function beginSecondLife(context: Context, { manifest, restoring }: Restoring): Promise<void> {
  const { db } = context;
  const { id, takenAt } = manifest;
  const leap = leapSince(new Date(takenAt), context.now());
  for (const statement of ENDED) await sql.raw(statement).execute(db);
  await leapSequence(db, leap.sequence);
  for (const tenant of await everyTenant(context)) {
    await failUnderWay(tenant, `the service was restored from a backup of ${takenAt}. Publish again.`);
    await leapBulletins(tenant, leap.versions);
    const paused = await pauseRunning(tenant);
    await leapOnlineRoles(tenant, leap.versions);
    await audit(db, tenant, 'service', ACTION, id, { restoring, takenAt, pausedRollouts: paused });
  }
}

/** Whether this very restoring has come to its end: it is told in the transaction that restores. */
export async function hasBegunSecondLife(db: Database, restoring: string): Promise<boolean> {
  const { rows } = await sql<{ there: boolean }>`select to_regclass('audit') is not null as there`.execute(db);
  if (!rows[0]?.there) return false;
  const told = db.selectFrom('audit').select('number').where('action', '=', ACTION);
  const mine = told.where(sql<boolean>`details ->> 'restoring' = ${restoring}`).limit(1);
  return (await mine.executeTakeFirst()) !== undefined;
}
