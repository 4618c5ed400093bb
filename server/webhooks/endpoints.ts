// The endpoints of webhooks of one organization: where they are, what they want to hear, and whether they are used.
import { randomUUID } from 'node:crypto';
import { type Selectable, sql } from 'kysely';
import { type Actor, audit } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import type { WebhookTable } from '../db/schema.ts';
import { serverError } from '../errors.ts';
import { type Page, page, readCursor } from '../http/paging.ts';
import type { Vault } from '../vault.ts';
import { emit } from './emit.ts';
import { newSecret, secretText } from './signature.ts';

/** In an organization: every event is delivered to each of them. */
const MOST_WEBHOOKS = 20;
/** How long the old secret is signed with as well. */
const ROTATION_MS = 24 * 3600_000;

export interface WebhookView {
  readonly id: string;
  readonly url: string;
  readonly events: readonly string[];
  readonly enabled: boolean;
  /** Why it is disabled; null while it is not. */
  readonly disabledWhy: string | null;
  /** Failed attempts since the last success. */
  readonly failures: number;
  readonly failingSince: string | null;
  readonly createdAt: string;
  readonly revision: number;
}

export interface WebhookOrder {
  /** Checked by {@link requireUrl}. */
  readonly url: string;
  readonly events: readonly string[];
}

/** The secret is shown here, and by a rotation, and never again. @throws `webhook-limit` */
export async function createWebhook(
  tenant: Tenant,
  { url, events }: WebhookOrder,
  actor: Actor,
): Promise<WebhookView & { readonly secret: string }> {
  const id = `wh-${randomUUID()}`;
  const secret = newSecret();
  const { organization, vault } = tenant;
  return tenant.db.transaction().execute(async db => {
    const row = await db
      .insertInto('webhooks')
      .values({
        id,
        organization,
        url,
        events: [...events],
        sealed_secret: vault.seal(secretPurpose(id), secret),
        failures: 0,
        revision: 1,
        created_at: tenant.now(),
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    // The entry locks the organization's chain: of two that create one at once, the second counts the first.
    await audit(db, tenant, actor, 'webhook.create', id, { host: hostIn(url), events });
    await requireRoom(db, organization);
    return { ...view(row), secret: secretText(secret) };
  });
}

/** Oldest first. @throws `request-invalid` */
export async function listWebhooks(
  { db, organization }: Tenant,
  { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
): Promise<Page<WebhookView>> {
  const after = readCursor(cursor);
  let query = db.selectFrom('webhooks').selectAll().where('organization', '=', organization);
  if (after) {
    query = query.where(({ eb, refTuple, tuple }) =>
      eb(refTuple('created_at', 'id'), '>', tuple(new Date(after.at), after.id)),
    );
  }
  const rows = await query
    .orderBy('created_at')
    .orderBy('id')
    .limit(limit + 1)
    .execute();
  return page(rows, limit, view, ({ created_at, id }) => ({ at: created_at.toISOString(), id }));
}

/** @throws `not-found` */
export async function webhookById({ db, organization }: Tenant, id: string): Promise<WebhookView> {
  return view(await webhookRow(db, organization, id));
}

export interface WebhookChange {
  readonly url?: string | undefined;
  readonly events?: readonly string[] | undefined;
  readonly enabled?: boolean | undefined;
}

/**
 * Changes what is given. Enabling forgets what has failed; disabling gives up what was waiting.
 *
 * @param seen the revision that the caller has seen; undefined when it does not care
 * @throws `not-found`, `precondition-failed`
 */
export async function changeWebhook(
  tenant: Tenant,
  id: string,
  { url, events, enabled }: WebhookChange,
  seen: number | undefined,
  actor: Actor,
): Promise<WebhookView> {
  return tenant.db.transaction().execute(async db => {
    const row = await lockedRow(db, tenant, id, seen);
    const isTurned = enabled !== undefined && enabled !== (row.disabled_at === null);
    const switched = enabled
      ? { disabled_at: null, disabled_why: null, failures: 0, failing_since: null }
      : { disabled_at: tenant.now(), disabled_why: 'by hand' };
    const changed = await db
      .updateTable('webhooks')
      .set({
        ...(url === undefined ? {} : { url }),
        ...(events === undefined ? {} : { events: [...events] }),
        ...(isTurned ? switched : {}),
        revision: row.revision + 1,
      })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow();
    if (isTurned && !enabled) await giveUpWaiting(db, id);
    await audit(db, tenant, actor, 'webhook.change', id, {
      ...(url === undefined ? {} : { host: hostIn(url) }),
      ...(events === undefined ? {} : { events }),
      ...(isTurned ? { enabled } : {}),
    });
    return view(changed);
  });
}

/** With everything that was to be delivered. @throws `not-found` */
export async function deleteWebhook(tenant: Tenant, id: string, actor: Actor): Promise<void> {
  await tenant.db.transaction().execute(async db => {
    const row = db.deleteFrom('webhooks').where('id', '=', id).where('organization', '=', tenant.organization);
    const { numDeletedRows } = await row.executeTakeFirstOrThrow();
    if (numDeletedRows === 0n) throw notFound(id);
    await audit(db, tenant, actor, 'webhook.delete', id);
  });
}

/** Makes a new secret; for a day deliveries are signed with the old one as well. @throws `not-found` */
export async function rotateSecret(
  tenant: Tenant,
  id: string,
  actor: Actor,
): Promise<{ readonly secret: string; readonly previousUntil: string }> {
  const secret = newSecret();
  const until = new Date(tenant.now().getTime() + ROTATION_MS);
  await tenant.db.transaction().execute(async db => {
    const row = await lockedRow(db, tenant, id, undefined);
    await db
      .updateTable('webhooks')
      .set({
        sealed_secret: tenant.vault.seal(secretPurpose(id), secret),
        sealed_previous_secret: row.sealed_secret,
        previous_until: until,
        revision: row.revision + 1,
      })
      .where('id', '=', id)
      .execute();
    await audit(db, tenant, actor, 'webhook.rotate-secret', id);
  });
  return { secret: secretText(secret), previousUntil: until.toISOString() };
}

/**
 * Disables an endpoint that nobody answers at, and tells the others. `db` is a transaction that has the row.
 *
 * @param why in words of an operator
 */
export async function disableWebhook(db: Database, tenant: Tenant, id: string, why: string): Promise<void> {
  const { numUpdatedRows } = await db
    .updateTable('webhooks')
    .set(({ eb }) => ({ disabled_at: tenant.now(), disabled_why: why, revision: eb('revision', '+', 1) }))
    .where('id', '=', id)
    .where('disabled_at', 'is', null)
    .executeTakeFirstOrThrow();
  if (numUpdatedRows === 0n) return;
  await giveUpWaiting(db, id);
  await emit(db, tenant, { type: 'webhook.disabled', data: { webhook: id, reason: why } });
  await audit(db, tenant, 'service', 'webhook.disable', id, { why });
}

/** The secrets that deliveries are signed with now. @throws `secret-unsealable` */
export function secretsOf(
  row: Pick<Selectable<WebhookTable>, 'sealed_secret' | 'sealed_previous_secret' | 'previous_until'>,
  id: string,
  vault: Vault,
  now: Date,
): readonly Buffer[] {
  const previous = row.previous_until && row.previous_until > now ? row.sealed_previous_secret : null;
  return [row.sealed_secret, ...(previous ? [previous] : [])].map(sealed => vault.open(secretPurpose(id), sealed));
}

/** The row of an endpoint of this organization. @throws `not-found` */
export async function webhookRow(db: Database, organization: string, id: string): Promise<Selectable<WebhookTable>> {
  const query = db.selectFrom('webhooks').selectAll().where('id', '=', id).where('organization', '=', organization);
  const row = await query.executeTakeFirst();
  if (!row) throw notFound(id);
  return row;
}

/** Locked against other changes, not against events that are written for it meanwhile. */
async function lockedRow(db: Database, { organization }: Tenant, id: string, seen: number | undefined) {
  await sql`select from webhooks where id = ${id} for no key update`.execute(db);
  const row = await webhookRow(db, organization, id);
  if (seen === undefined || seen === row.revision) return row;
  throw serverError('precondition-failed', `Webhook ${id} has been changed: it is at revision ${row.revision}.`);
}

/** What waited becomes a dead letter: it can be replayed when somebody listens again. */
async function giveUpWaiting(db: Database, id: string): Promise<void> {
  await db
    .updateTable('webhook_deliveries')
    .set({ state: 'dead', claim: null })
    .where('webhook_id', '=', id)
    .where('state', 'in', ['pending', 'failed'])
    .execute();
}

/** @throws `webhook-limit` */
async function requireRoom(db: Database, organization: string): Promise<void> {
  const { countAll } = db.fn;
  const { count } = await db
    .selectFrom('webhooks')
    .select(countAll<string>().as('count'))
    .where('organization', '=', organization)
    .executeTakeFirstOrThrow();
  if (Number(count) <= MOST_WEBHOOKS) return;
  throw serverError('webhook-limit', `An organization has at most ${MOST_WEBHOOKS} webhooks.`);
}

function notFound(id: string) {
  return serverError('not-found', `There is no webhook ${id}.`);
}

/** Paths and queries of such addresses often are secrets: the log has the host. */
function hostIn(url: string): string {
  return new URL(url).host;
}

function secretPurpose(id: string): string {
  return `webhook:${id}`;
}

function view(row: Selectable<WebhookTable>): WebhookView {
  return {
    id: row.id,
    url: row.url,
    events: row.events,
    enabled: row.disabled_at === null,
    disabledWhy: row.disabled_why,
    failures: row.failures,
    failingSince: row.failing_since?.toISOString() ?? null,
    createdAt: row.created_at.toISOString(),
    revision: row.revision,
  };
}
