// Who did what, in the order it happened: one chain for each organization, only ever added to.
import { sql } from 'kysely';
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import { markEffect } from '../http/effect.ts';
import { type Details, type Entry, entryHash } from './chain.ts';
import { headOf } from './entries.ts';

/** Who acts: a person by their e-mail address, a token by its name, a license, or the service itself. */
export type Actor = `user:${string}` | `token:${string}` | `license:${string}` | 'service';

/** For whom. */
export type AuditedFor = Pick<Tenant, 'now' | 'organization' | 'origin'>;

/** With the organization's hash, one lock for each chain, over all services that share the database. */
const CHAIN_LOCK = 0x4155_4449;

/**
 * Adds an entry, inside the caller's transaction when `db` is one. The chain is locked until that ends, so that entries follow
 * each other in the order of their commits: call it last.
 *
 * @param subject names the object, never a secret; neither does `details`
 */
export async function audit(
  db: Database,
  tenant: AuditedFor,
  actor: Actor,
  action: string,
  subject: string,
  details: Details = {},
): Promise<void> {
  if (!db.isTransaction) {
    return db.transaction().execute(own => audit(own, tenant, actor, action, subject, details));
  }
  const { organization, origin } = tenant;
  await sql`select pg_advisory_xact_lock(${CHAIN_LOCK}, hashtext(${organization}))`.execute(db);
  const { number, hash } = await headOf(db, organization);
  const entry: Entry = {
    version: 1,
    organization,
    number: number + 1,
    at: tenant.now().toISOString(),
    actor,
    action,
    subject,
    request: origin?.request ?? null,
    address: origin?.address ?? null,
    details: details as Entry['details'],
    previous: hash,
  };
  const { version: _, at, details: said, ...columns } = entry;
  const row = { ...columns, at: new Date(at), details: JSON.stringify(said), hash: entryHash(entry) };
  await db.insertInto('audit').values(row).execute();
  await markEffect(db, tenant);
}
