// Marks a call with an `Idempotency-Key` as one that had its effect, in the transaction of that effect: a process that dies before it
// answers leaves a call that is never made a second time.
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';

/** Called with every audit entry: whatever changes something for a caller writes one. */
export async function markEffect(db: Database, { now, origin }: Pick<Tenant, 'now' | 'origin'>): Promise<void> {
  if (origin?.idempotency === undefined) return;
  await db.updateTable('idempotency').set({ effect_at: now() }).where('id', '=', origin.idempotency).execute();
}
