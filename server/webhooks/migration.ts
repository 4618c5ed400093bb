// Migration 0013: endpoints of webhooks, and what is to be delivered to them.
import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

export const webhooks: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of TABLES) await sql.raw(statement).execute(db);
  },
  async down(db: Kysely<unknown>) {
    for (const name of ['webhook_deliveries', 'webhooks']) await db.schema.dropTable(name).execute();
  },
};

const TABLES = [
  `create table webhooks (
     id text primary key, organization text not null, url text not null, events text[] not null,
     sealed_secret bytea not null, sealed_previous_secret bytea, previous_until timestamptz,
     disabled_at timestamptz, disabled_why text, failures integer not null, failing_since timestamptz,
     revision integer not null, created_at timestamptz not null)`,
  'create index webhooks_by_organization on webhooks (organization, created_at, id)',
  `create table webhook_deliveries (
     id text primary key, webhook_id text not null references webhooks (id) on delete cascade,
     event text not null, type text not null, payload text not null,
     state text not null, attempts integer not null, next_attempt_at timestamptz not null, claim text,
     last_status integer, last_error text, last_attempt_at timestamptz, created_at timestamptz not null)`,
  'create index webhook_deliveries_by_webhook on webhook_deliveries (webhook_id, created_at, id)',
  `create index webhook_deliveries_due on webhook_deliveries (next_attempt_at) where state in ('pending', 'failed')`,
];
