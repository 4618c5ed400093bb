// What becomes of an event: written with what it tells of, delivered at least once, tried again for a day, given up, replayed; and an
// endpoint that nobody answers at is disabled.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { sql } from 'kysely';
import type { Tenant } from '../../../../server/context.ts';
import { announceHeads } from '../../../../server/webhooks/announce-heads.ts';
import { deliverDue } from '../../../../server/webhooks/deliver.ts';
import {
  type DeliveryView,
  forgetDeliveries,
  listDeliveries,
  pingWebhook,
  replayDeliveries,
} from '../../../../server/webhooks/deliveries.ts';
import { emit } from '../../../../server/webhooks/emit.ts';
import {
  changeWebhook,
  createWebhook,
  deleteWebhook,
  rotateSecret,
  webhookById,
} from '../../../../server/webhooks/endpoints.ts';
import { MOST_ATTEMPTS, retryAfterMs } from '../../../../server/webhooks/schedule.ts';
import type { Outcome, Post } from '../../../../server/webhooks/send.ts';
import { startTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { rejectsWith } from '../../../support/errors.ts';
import { tenantOn } from '../../../support/tenant.ts';

const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;
const ACTOR = 'token:test';
const REVOKED = { type: 'license.revoked', data: { license: 'lic-1' } } as const;

let database: TestDatabase;
let tenant: Tenant;
let nowMs = Date.parse('2026-11-23T12:00:00Z');
before(async () => {
  database = await startTestDatabase();
  await database.organizations('acme');
  tenant = tenantOn(database.db, { organization: 'acme', now: () => new Date(nowMs) });
});
after(() => database.close());
beforeEach(() => database.db.deleteFrom('webhooks').execute());

let named = 0;
const create = (events: readonly string[] = ['*']) =>
  createWebhook(tenant, { url: `https://hooks.example/${++named}`, events }, ACTOR);

/** A receiver that needs no network. */
class Receiver {
  readonly posts: Post[] = [];
  outcome: Outcome | ((post: Post) => Promise<Outcome>) = { ok: true, status: 200 };

  deliver(): Promise<number> {
    return deliverDue({ context: tenant, random: () => 0.5, send: post => this.#take(post) });
  }

  async #take(post: Post): Promise<Outcome> {
    this.posts.push(post);
    return typeof this.outcome === 'function' ? this.outcome(post) : this.outcome;
  }

  get ids(): string[] {
    return this.posts.map(({ headers }) => headers['webhook-id'] as string);
  }
}

const FAILS: Outcome = { ok: false, status: 500, error: 'it answered with status 500' };

async function deliveriesOf(webhook: string): Promise<readonly DeliveryView[]> {
  return (await listDeliveries(tenant, webhook, { limit: 200 })).items;
}

async function onlyDelivery(webhook: string): Promise<DeliveryView> {
  const [first, ...rest] = await deliveriesOf(webhook);
  assert.ok(first);
  assert.deepEqual(rest, []);
  return first;
}

test('an event goes to the endpoints of its organization that want its type, once', async () => {
  const [all, some, none, off] = [
    await create(),
    await create(['license.revoked']),
    await create(['ping']),
    await create(),
  ];
  await changeWebhook(tenant, off.id, { enabled: false }, undefined, ACTOR);
  const rival = tenantOn(database.db, { organization: 'rival', vault: tenant.vault });
  await createWebhook(rival, { url: 'https://rival.example/', events: ['*'] }, ACTOR);
  await emit(tenant.db, tenant, REVOKED);
  const receiver = new Receiver();
  assert.equal(await receiver.deliver(), 2);
  assert.deepEqual(receiver.posts.map(({ url }) => url).sort(), [all.url, some.url].sort());
  assert.equal(new Set(receiver.ids).size, 1, 'one event, one id');
  const timestamp = new Date(nowMs).toISOString();
  for (const { body } of receiver.posts) assert.deepEqual(JSON.parse(body), { ...REVOKED, timestamp });
  assert.equal(await receiver.deliver(), 0);
  assert.equal((await onlyDelivery(all.id)).state, 'succeeded');
  assert.deepEqual([await deliveriesOf(none.id), await deliveriesOf(off.id)], [[], []]);
});

test('what is rolled back is told to nobody; what is committed is told even when the process dies right after', async () => {
  const { id } = await create();
  const change = tenant.db.transaction().execute(async db => {
    await emit(db, tenant, REVOKED);
    throw new Error('rolled back');
  });
  await assert.rejects(change, /rolled back/);
  assert.deepEqual(await deliveriesOf(id), []);
  await tenant.db.transaction().execute(db => emit(db, tenant, REVOKED));
  assert.equal((await onlyDelivery(id)).state, 'pending', 'it waits in the database, in nobody’s memory');
});

test('fields that are not of the event stay inside', async () => {
  await create();
  const row = { license: 'lic-1', sealed_psk: 'secret' };
  await emit(tenant.db, tenant, { type: 'license.revoked', data: row });
  const receiver = new Receiver();
  await receiver.deliver();
  assert.equal(receiver.posts.length, 1);
  assert.doesNotMatch(receiver.posts[0]?.body ?? '', /secret/);
});

test('the waits grow threefold to six hours, about a day in all, and spread by a fifth', () => {
  const waits = Array.from({ length: MOST_ATTEMPTS }, (_, i) => retryAfterMs(i + 1, 0.5));
  assert.deepEqual(waits.slice(0, 4), [10_000, 30_000, 90_000, 270_000]);
  assert.equal(waits.at(-1), undefined, 'the last attempt is the last');
  const totalMs = waits.reduce<number>((sum, wait = 0) => sum + wait, 0);
  assert.ok(totalMs > 20 * HOUR_MS && totalMs < 30 * HOUR_MS, `${totalMs / HOUR_MS} h`);
  assert.deepEqual([retryAfterMs(1, 0), retryAfterMs(1, 1)], [8000, 12_000]);
});

test('a failed delivery is tried again until it succeeds, never before its time', async () => {
  const { id } = await create();
  await emit(tenant.db, tenant, REVOKED);
  const receiver = new Receiver();
  receiver.outcome = FAILS;
  assert.equal(await receiver.deliver(), 1);
  const failed = await onlyDelivery(id);
  assert.deepEqual([failed.state, failed.attempts, failed.lastStatus], ['failed', 1, 500]);
  assert.equal(await receiver.deliver(), 0);
  nowMs = Date.parse(failed.nextAttemptAt ?? '') - 1;
  assert.equal(await receiver.deliver(), 0);
  nowMs += 1;
  receiver.outcome = { ok: true, status: 204 };
  assert.equal(await receiver.deliver(), 1);
  assert.equal(new Set(receiver.ids).size, 1, 'the same id each time');
  const done = await onlyDelivery(id);
  assert.deepEqual([done.state, done.attempts, done.lastError, done.nextAttemptAt], ['succeeded', 2, null, null]);
});

/** Lets a delivery fail until it is given up; returns how long that took. */
async function failToTheEnd(webhook: string, receiver: Receiver): Promise<number> {
  const began = nowMs;
  receiver.outcome = FAILS;
  for (let i = 0; i < MOST_ATTEMPTS; i++) {
    assert.equal(await receiver.deliver(), 1);
    const next = (await deliveriesOf(webhook)).find(({ state }) => state === 'failed')?.nextAttemptAt;
    if (next) nowMs = Date.parse(next);
  }
  assert.equal(await receiver.deliver(), 0);
  return nowMs - began;
}

test('after a day of failures it is a dead letter, which can be replayed by hand', async () => {
  const { id } = await create();
  await emit(tenant.db, tenant, REVOKED);
  const receiver = new Receiver();
  const tookMs = await failToTheEnd(id, receiver);
  assert.ok(tookMs > 20 * HOUR_MS && tookMs < 30 * HOUR_MS);
  const dead = await onlyDelivery(id);
  assert.deepEqual([dead.state, dead.attempts, dead.nextAttemptAt], ['dead', MOST_ATTEMPTS, null]);
  nowMs += 30 * DAY_MS;
  assert.equal(await receiver.deliver(), 0);
  nowMs -= 30 * DAY_MS;
  receiver.outcome = { ok: true, status: 200 };
  assert.equal(await replayDeliveries(tenant, id, { delivery: dead.id }, ACTOR), 1);
  assert.equal(await receiver.deliver(), 1);
  assert.equal(receiver.ids.at(-1), receiver.ids[0], 'a receiver recognizes it');
  await rejectsWith('not-found', () => replayDeliveries(tenant, id, { delivery: 'other' }, ACTOR));
});

test('all since a time are replayed, in the states that are asked for', async () => {
  const { id } = await create();
  await emit(tenant.db, tenant, REVOKED);
  const receiver = new Receiver();
  await receiver.deliver();
  nowMs += HOUR_MS;
  const since = new Date(nowMs);
  await emit(tenant.db, tenant, REVOKED);
  await receiver.deliver();
  assert.equal(await replayDeliveries(tenant, id, { since, states: ['dead'] }, ACTOR), 0);
  assert.equal(await replayDeliveries(tenant, id, { since, states: ['succeeded', 'dead'] }, ACTOR), 1);
  assert.equal(await receiver.deliver(), 1);
  assert.equal(receiver.ids[2], receiver.ids[1]);
});

test('a process that dies between sending and writing it down: it is sent again, under the same id', async () => {
  const { id } = await create();
  await emit(tenant.db, tenant, REVOKED);
  const dying = new Receiver();
  dying.outcome = () => new Promise(() => undefined);
  void dying.deliver();
  while (dying.posts.length === 0) await new Promise(setImmediate);
  const other = new Receiver();
  assert.equal(await other.deliver(), 0, 'while the claim lasts nobody else sends it');
  nowMs += 60_000;
  assert.equal(await other.deliver(), 1);
  assert.deepEqual(other.ids, dying.ids);
  assert.equal((await onlyDelivery(id)).state, 'succeeded');
});

test('an attempt that ends after it was replayed by hand does not settle the replay', async () => {
  const { id } = await create();
  await emit(tenant.db, tenant, REVOKED);
  const slow = new Receiver();
  let end: (outcome: Outcome) => void = () => undefined;
  slow.outcome = () =>
    new Promise(resolve => {
      end = resolve;
    });
  const delivering = slow.deliver();
  while (slow.posts.length === 0) await new Promise(setImmediate);
  await replayDeliveries(tenant, id, { delivery: (await onlyDelivery(id)).id }, ACTOR);
  slow.outcome = FAILS;
  end({ ok: true, status: 200 });
  await delivering;
  assert.equal(slow.posts.length, 2);
  assert.equal((await onlyDelivery(id)).state, 'failed');
});

test('several processes that deliver at once send each event once', async () => {
  await Promise.all(Array.from({ length: 5 }, () => create()));
  for (let i = 0; i < 20; i++) await emit(tenant.db, tenant, REVOKED);
  const receiver = new Receiver();
  const made = await Promise.all(Array.from({ length: 4 }, () => receiver.deliver()));
  assert.equal(
    made.reduce((sum, count) => sum + count, 0),
    100,
  );
  const sent = receiver.posts.map(({ url, headers }) => `${url} ${headers['webhook-id']}`);
  assert.equal(new Set(sent).size, 100);
});

test('a slow receiver with a backlog leaves room for others in every round', async () => {
  const slow = await create();
  for (let i = 0; i < 100; i++) await emit(tenant.db, tenant, REVOKED);
  const quick = await create();
  await emit(tenant.db, tenant, REVOKED);
  const receiver = new Receiver();
  await receiver.deliver();
  const first = receiver.posts.slice(0, 5);
  assert.equal(first.filter(({ url }) => url === slow.url).length, 4);
  assert.ok(first.some(({ url }) => url === quick.url));
  assert.equal(receiver.posts.length, 102);
});

test('told to stop, it ends with the round under way; what is left is delivered by the next process', async () => {
  await create();
  for (let i = 0; i < 10; i++) await emit(tenant.db, tenant, REVOKED);
  const send = async (): Promise<Outcome> => ({ ok: true, status: 200 });
  let stopping = false;
  const stopped = deliverDue({
    context: tenant,
    random: () => 0.5,
    isStopping: () => stopping,
    send: async () => {
      stopping = true;
      return send();
    },
  });
  assert.equal(await stopped, 4);
  assert.equal(await deliverDue({ context: tenant, random: () => 0.5, send }), 6);
});

test('what fails for one endpoint, its secret unreadable, holds nobody else up', async () => {
  const [broken, good] = [await create(), await create()];
  await sql`update webhooks set sealed_secret = '\\x00' where id = ${broken.id}`.execute(tenant.db);
  await emit(tenant.db, tenant, REVOKED);
  const receiver = new Receiver();
  await receiver.deliver();
  assert.equal((await onlyDelivery(good.id)).state, 'succeeded');
  assert.match((await onlyDelivery(broken.id)).lastError ?? '', /cannot sign/);
});

test('after five days without a success an endpoint is disabled, its dead letters kept, the others and the audit log told', async () => {
  const { id } = await create(['license.revoked']);
  const other = await create(['webhook.disabled']);
  const receiver = new Receiver();
  await emit(tenant.db, tenant, REVOKED);
  await failToTheEnd(id, receiver);
  nowMs += 3 * DAY_MS;
  await emit(tenant.db, tenant, REVOKED);
  await receiver.deliver();
  assert.ok((await webhookById(tenant, id)).enabled, 'days are missing');
  nowMs += DAY_MS;
  await receiver.deliver();
  const webhook = await webhookById(tenant, id);
  assert.equal(webhook.enabled, false);
  assert.match(webhook.disabledWhy ?? '', /for days/);
  assert.deepEqual(
    (await deliveriesOf(id)).map(({ state }) => state),
    ['dead', 'dead'],
  );
  await emit(tenant.db, tenant, REVOKED);
  assert.equal((await deliveriesOf(id)).length, 2, 'nothing more is written down for it');
  assert.equal((await onlyDelivery(other.id)).type, 'webhook.disabled');
  const entry = await tenant.db
    .selectFrom('audit')
    .selectAll()
    .where('action', '=', 'webhook.disable')
    .where('subject', '=', id)
    .executeTakeFirstOrThrow();
  assert.deepEqual([entry.organization, entry.actor], ['acme', 'service']);
  await rejectsWith('webhook-disabled', () => pingWebhook(tenant, id));

  await changeWebhook(tenant, id, { enabled: true }, undefined, ACTOR);
  receiver.outcome = { ok: true, status: 200 };
  assert.equal(await replayDeliveries(tenant, id, { since: new Date(0), states: ['dead'] }, ACTOR), 2);
  await receiver.deliver();
  assert.deepEqual(
    (await deliveriesOf(id)).map(({ state }) => state),
    ['succeeded', 'succeeded'],
  );
});

test('one success in between, and the days count from anew', async () => {
  const { id } = await create();
  const receiver = new Receiver();
  await emit(tenant.db, tenant, REVOKED);
  await failToTheEnd(id, receiver);
  nowMs += 3 * DAY_MS;
  receiver.outcome = { ok: true, status: 200 };
  await emit(tenant.db, tenant, REVOKED);
  await receiver.deliver();
  nowMs += 3 * DAY_MS;
  receiver.outcome = FAILS;
  await emit(tenant.db, tenant, REVOKED);
  await receiver.deliver();
  const { enabled, failures } = await webhookById(tenant, id);
  assert.deepEqual([enabled, failures], [true, 1]);
});

test('a receiver that says it is gone (410) is believed', async () => {
  const { id } = await create();
  await emit(tenant.db, tenant, REVOKED);
  const receiver = new Receiver();
  receiver.outcome = { ok: false, status: 410, error: 'it answered with status 410' };
  await receiver.deliver();
  assert.match((await webhookById(tenant, id)).disabledWhy ?? '', /410/);
});

test('an endpoint that is deleted while its delivery is under way leaves nothing behind', async () => {
  const { id } = await create();
  await emit(tenant.db, tenant, REVOKED);
  const receiver = new Receiver();
  receiver.outcome = async () => {
    await deleteWebhook(tenant, id, ACTOR);
    return FAILS;
  };
  assert.equal(await receiver.deliver(), 1);
  assert.deepEqual(await tenant.db.selectFrom('webhook_deliveries').select('id').execute(), []);
});

test('endpoints that are deleted while events are written for them: the change that is told of is made all the same', async () => {
  for (let i = 0; i < 10; i++) {
    const { id } = await create();
    await Promise.all([
      tenant.db.transaction().execute(db => emit(db, tenant, REVOKED)),
      deleteWebhook(tenant, id, ACTOR),
    ]);
  }
});

test('while one secret replaces the other, deliveries carry a signature of each; after a day only the new one', async () => {
  const { id } = await create();
  const signatures = async () => {
    await emit(tenant.db, tenant, REVOKED);
    const receiver = new Receiver();
    await receiver.deliver();
    return (receiver.posts[0]?.headers['webhook-signature'] ?? '').split(' ').length;
  };
  assert.equal(await signatures(), 1);
  const { previousUntil } = await rotateSecret(tenant, id, ACTOR);
  assert.equal(Date.parse(previousUntil) - nowMs, DAY_MS);
  assert.equal(await signatures(), 2);
  await rotateSecret(tenant, id, ACTOR);
  assert.equal(await signatures(), 2, 'never more than two');
  nowMs += DAY_MS;
  assert.equal(await signatures(), 1);
});

test('what is old is forgotten: successes after a week, everything after a month', async () => {
  const { id } = await create();
  const receiver = new Receiver();
  await emit(tenant.db, tenant, REVOKED);
  await receiver.deliver();
  receiver.outcome = { ok: false, status: 410, error: 'gone' };
  await emit(tenant.db, tenant, REVOKED);
  await receiver.deliver();
  const states = async () => (await deliveriesOf(id)).map(({ state }) => state).sort();
  await forgetDeliveries(tenant);
  assert.deepEqual(await states(), ['dead', 'succeeded']);
  nowMs += 8 * DAY_MS;
  await forgetDeliveries(tenant);
  assert.deepEqual(await states(), ['dead']);
  nowMs += 30 * DAY_MS;
  await forgetDeliveries(tenant);
  assert.deepEqual(await states(), []);
});

test('each day the end of the audit log goes to who wants it, signed', async () => {
  const { id } = await create(['audit.head']);
  await announceHeads(tenant);
  const { type, payload } = await onlyDelivery(id);
  assert.equal(type, 'audit.head');
  const { data } = JSON.parse(payload);
  assert.equal(data.organization, 'acme');
  assert.ok(data.number > 0);
  assert.equal(data.signed.split('.').length, 3);
});
