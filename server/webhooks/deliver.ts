// Delivers what is due. Each attempt is claimed in the database before it is made and written down after it: a process that dies in
// between has made an attempt that nobody knows of, so that a receiver may get an event twice, and never not at all.
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { type Context, tenantOf } from '../context.ts';
import type { DeliveryState } from '../db/schema.ts';
import { disableWebhook, secretsOf } from './endpoints.ts';
import { isDead, retryAfterMs } from './schedule.ts';
import type { Outcome, Post } from './send.ts';
import { signatureHeaders } from './signature.ts';

/** In one round; slow receivers hold up a round, for as long as one attempt may take. */
const AT_ONCE = 64;
/** To one endpoint in a round, so that one with a backlog leaves room for others. */
const AT_ONCE_EACH = 4;
/** After that a claim is that of a process that died. An attempt takes a sixth of it at most. */
const CLAIM_MS = 60_000;
/** RFC 9110: the receiver is gone, and means it. */
const GONE = 410;

export interface DeliveryParts {
  readonly context: Context;
  send(post: Post): Promise<Outcome>;
  /** From 0 to 1. */
  random(): number;
  /** Asked between rounds: what is left is for the next process. */
  isStopping?(): boolean;
}

/** Makes all attempts that are due, in rounds. Returns how many. Safe to run in several processes at once. */
export async function deliverDue(parts: DeliveryParts): Promise<number> {
  for (let made = 0; ; ) {
    const claimed = parts.isStopping?.() ? [] : await claimDue(parts.context);
    if (claimed.length === 0) return made;
    made += claimed.length;
    const settled = await Promise.allSettled(claimed.map(claim => attempt(parts, claim)));
    const failed = settled.find(result => result.status === 'rejected');
    if (failed) throw failed.reason;
  }
}

interface Claimed {
  readonly id: string;
  readonly webhook_id: string;
  readonly event: string;
  readonly payload: string;
  readonly attempts: number;
  readonly claim: string;
  readonly organization: string;
  readonly url: string;
  readonly sealed_secret: Buffer;
  readonly sealed_previous_secret: Buffer | null;
  readonly previous_until: Date | null;
}

/** New deliveries first: what has failed before waits while there is something else. */
async function claimDue({ db, now }: Context): Promise<readonly Claimed[]> {
  const at = now();
  const until = new Date(at.getTime() + CLAIM_MS);
  const { rows } = await sql<Claimed>`
    with due as (
      select d.id, d.attempts, d.next_attempt_at,
             row_number() over (partition by d.webhook_id order by d.next_attempt_at, d.id) as place
      from webhook_deliveries d join webhooks w on w.id = d.webhook_id
      where d.state in ('pending', 'failed') and d.next_attempt_at <= ${at} and w.disabled_at is null),
    chosen as (
      select id from due where place <= ${AT_ONCE_EACH} order by attempts, next_attempt_at limit ${AT_ONCE})
    update webhook_deliveries d
    set claim = ${randomUUID()}, attempts = d.attempts + 1, next_attempt_at = ${until}, last_attempt_at = ${at}
    from chosen, webhooks w
    where d.id = chosen.id and w.id = d.webhook_id
      and d.state in ('pending', 'failed') and d.next_attempt_at <= ${at}
    returning d.id, d.webhook_id, d.event, d.payload, d.attempts, d.claim,
              w.organization, w.url, w.sealed_secret, w.sealed_previous_secret, w.previous_until`.execute(db);
  return rows;
}

async function attempt(parts: DeliveryParts, claimed: Claimed): Promise<void> {
  await settle(parts, claimed, await outcomeOf(parts, claimed));
}

async function outcomeOf({ context, send }: DeliveryParts, claimed: Claimed): Promise<Outcome> {
  const { url, event, payload: body, webhook_id: id } = claimed;
  const now = context.now();
  try {
    const secrets = secretsOf(claimed, id, context.vault, now);
    const signed = signatureHeaders(event, now, body, secrets);
    return await send({
      url,
      body,
      headers: { ...signed, 'content-type': 'application/json', 'user-agent': 'rollover' },
    });
  } catch (error) {
    context.log.error({ err: error, webhook: id }, 'webhook cannot be signed');
    return { ok: false, status: undefined, error: 'this service cannot sign it; its log says why' };
  }
}

/** Writes down how it went, unless somebody has replayed, disabled or deleted it meanwhile. */
async function settle({ context, random }: DeliveryParts, claimed: Claimed, outcome: Outcome): Promise<void> {
  const { id, webhook_id: webhook, attempts, organization } = claimed;
  const tenant = tenantOf(context, organization);
  const now = tenant.now();
  const wait = outcome.ok ? undefined : retryAfterMs(attempts, random());
  const state: DeliveryState = outcome.ok ? 'succeeded' : wait === undefined ? 'dead' : 'failed';
  await tenant.db.transaction().execute(async db => {
    await sql`select from webhooks where id = ${webhook} for no key update`.execute(db);
    const { numUpdatedRows } = await db
      .updateTable('webhook_deliveries')
      .set({
        state,
        claim: null,
        last_status: outcome.status ?? null,
        last_error: outcome.ok ? null : outcome.error,
        ...(wait === undefined ? {} : { next_attempt_at: new Date(now.getTime() + wait) }),
      })
      .where('id', '=', id)
      .where('claim', '=', claimed.claim)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows === 0n) return;
    const counters = outcome.ok
      ? sql`failures = 0, failing_since = null`
      : sql`failures = failures + 1, failing_since = coalesce(failing_since, ${now})`;
    const { rows } = await sql<{ failures: number; failing_since: Date | null }>`
      update webhooks set ${counters} where id = ${webhook} returning failures, failing_since`.execute(db);
    const [endpoint] = rows;
    if (outcome.ok || !endpoint) return;
    const why = whyDisabled(outcome, endpoint.failures, now.getTime() - (endpoint.failing_since ?? now).getTime());
    if (why !== undefined) await disableWebhook(db, tenant, webhook, why);
  });
}

function whyDisabled({ status }: Outcome, failures: number, failingForMs: number): string | undefined {
  if (status === GONE) return 'the receiver says that it is gone (status 410)';
  return isDead(failures, failingForMs) ? 'nothing could be delivered for days' : undefined;
}
