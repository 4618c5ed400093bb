// What was delivered and what was not: lists, tests and replays by hand, and forgetting.
import { type Selectable, sql } from 'kysely';
import { type Actor, audit } from '../audit/audit.ts';
import type { Context, Tenant } from '../context.ts';
import type { DeliveryState, DeliveryTable } from '../db/schema.ts';
import { serverError } from '../errors.ts';
import { type Page, page, readCursor } from '../http/paging.ts';
import { enqueue } from './emit.ts';
import { webhookRow } from './endpoints.ts';

const DAY_MS = 24 * 3600_000;
/** Dead letters can be replayed for a month; what has succeeded is only there to be looked at. */
const KEEP_MS = 30 * DAY_MS;
const KEEP_SUCCEEDED_MS = 7 * DAY_MS;
/** For one endpoint: of what is settled, the newest are kept. */
const MOST_KEPT = 10_000;

export interface DeliveryView {
  readonly id: string;
  /** The same in all deliveries of one event, and what receivers get as `webhook-id`. */
  readonly event: string;
  readonly type: string;
  readonly payload: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  /** Null when there will be none. */
  readonly nextAttemptAt: string | null;
  readonly lastAttemptAt: string | null;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
  readonly createdAt: string;
}

export interface DeliveryFilter {
  readonly limit: number;
  readonly cursor?: string | undefined;
  readonly state?: DeliveryState | undefined;
}

/** Newest first. @throws `not-found`, `request-invalid` */
export async function listDeliveries(
  { db, organization }: Tenant,
  webhook: string,
  { limit, cursor, state }: DeliveryFilter,
): Promise<Page<DeliveryView>> {
  await webhookRow(db, organization, webhook);
  const before = readCursor(cursor);
  let query = db.selectFrom('webhook_deliveries').selectAll().where('webhook_id', '=', webhook);
  if (state) query = query.where('state', '=', state);
  if (before) {
    query = query.where(({ eb, refTuple, tuple }) =>
      eb(refTuple('created_at', 'id'), '<', tuple(new Date(before.at), before.id)),
    );
  }
  const rows = await query
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute();
  return page(rows, limit, view, ({ created_at, id }) => ({ at: created_at.toISOString(), id }));
}

/** Writes an event down that says nothing, to see whether the receiver works. @throws `not-found`, `webhook-disabled` */
export async function pingWebhook(tenant: Tenant, webhook: string): Promise<DeliveryView> {
  await requireEnabled(tenant, webhook);
  const [id = ''] = await enqueue(tenant.db, tenant.now(), { type: 'ping', data: { webhook } }, [webhook]);
  const row = tenant.db.selectFrom('webhook_deliveries').selectAll().where('id', '=', id);
  return view(await row.executeTakeFirstOrThrow());
}

/** What is to be delivered again: one, or all that were written down since a time and are in one of these states. */
export type Replay =
  | { readonly delivery: string }
  | { readonly since: Date; readonly states: readonly DeliveryState[] };

/**
 * Delivers again, under the same event id: a receiver that has handled it recognizes it.
 *
 * @returns how many
 * @throws `not-found`, `webhook-disabled`
 */
export async function replayDeliveries(tenant: Tenant, webhook: string, which: Replay, actor: Actor): Promise<number> {
  await requireEnabled(tenant, webhook);
  return tenant.db.transaction().execute(async db => {
    let query = db
      .updateTable('webhook_deliveries')
      .set({ state: 'pending', attempts: 0, next_attempt_at: tenant.now(), claim: null })
      .where('webhook_id', '=', webhook);
    if ('delivery' in which) query = query.where('id', '=', which.delivery);
    else query = query.where('created_at', '>=', which.since).where('state', 'in', [...which.states]);
    const count = Number((await query.executeTakeFirstOrThrow()).numUpdatedRows);
    if ('delivery' in which && count === 0) {
      throw serverError('not-found', `Webhook ${webhook} has no delivery ${which.delivery}.`);
    }
    await audit(db, tenant, actor, 'webhook.replay', webhook, { count });
    return count;
  });
}

/** Forgets what is old, and what is too much. Run by a job. */
export async function forgetDeliveries({ db, now }: Pick<Context, 'db' | 'now'>): Promise<void> {
  const before = (ms: number) => new Date(now().getTime() - ms);
  await db.deleteFrom('webhook_deliveries').where('created_at', '<', before(KEEP_MS)).execute();
  await db
    .deleteFrom('webhook_deliveries')
    .where('state', '=', 'succeeded')
    .where('created_at', '<', before(KEEP_SUCCEEDED_MS))
    .execute();
  await sql`
    delete from webhook_deliveries where id in (
      select id from (
        select id, row_number() over (partition by webhook_id order by created_at desc, id desc) as place
        from webhook_deliveries where state in ('succeeded', 'dead')) as settled
      where place > ${MOST_KEPT})`.execute(db);
}

async function requireEnabled({ db, organization }: Tenant, webhook: string): Promise<void> {
  const { disabled_at } = await webhookRow(db, organization, webhook);
  if (disabled_at) throw serverError('webhook-disabled', `Webhook ${webhook} is disabled.`);
}

function view(row: Selectable<DeliveryTable>): DeliveryView {
  const isWaiting = row.state === 'pending' || row.state === 'failed';
  return {
    id: row.id,
    event: row.event,
    type: row.type,
    payload: row.payload,
    state: row.state,
    attempts: row.attempts,
    nextAttemptAt: isWaiting ? row.next_attempt_at.toISOString() : null,
    lastAttemptAt: row.last_attempt_at?.toISOString() ?? null,
    lastStatus: row.last_status,
    lastError: row.last_error,
    createdAt: row.created_at.toISOString(),
  };
}
