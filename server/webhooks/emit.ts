// The outbox: an event is written down in the transaction of what it tells of. Both happen or neither does; delivering comes later.
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import { EVENTS, EVERY_TYPE, type WebhookEvent } from './events.ts';

/** For whom. */
export type EmittedFor = Pick<Tenant, 'now' | 'organization'>;

/**
 * Writes an event down for every endpoint of the organization that wants it. Call it inside the transaction that it tells of, and
 * before `audit`.
 */
export async function emit(db: Database, { organization, now }: EmittedFor, event: WebhookEvent): Promise<void> {
  // The lock keeps an endpoint from being deleted before what is written for it is committed.
  const wanting = await db
    .selectFrom('webhooks')
    .select('id')
    .where('organization', '=', organization)
    .where('disabled_at', 'is', null)
    .where(sql<boolean>`events && ${[event.type, EVERY_TYPE]}`)
    .forKeyShare()
    .execute();
  const webhooks = wanting.map(({ id }) => id);
  await enqueue(db, now(), event, webhooks);
}

/** Writes an event down for these endpoints, whatever they want. Returns the deliveries' ids. */
export async function enqueue(
  db: Database,
  at: Date,
  { type, data }: WebhookEvent,
  webhooks: readonly string[],
): Promise<readonly string[]> {
  if (webhooks.length === 0) return [];
  const payload = JSON.stringify({ type, timestamp: at.toISOString(), data: EVENTS[type].parse(data) });
  const event = `evt_${randomUUID()}`;
  const rows = webhooks.map(webhook => ({
    id: randomUUID(),
    webhook_id: webhook,
    event,
    type,
    payload,
    state: 'pending' as const,
    attempts: 0,
    next_attempt_at: at,
    created_at: at,
  }));
  await db.insertInto('webhook_deliveries').values(rows).execute();
  return rows.map(({ id }) => id);
}
