// Migration 0060: rollouts, what sites have reported of them, and the bulletins that say of both.
import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

export const rolloutTables: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of TABLES) await sql.raw(statement).execute(db);
  },
  async down(db: Kysely<unknown>) {
    for (const name of ['bulletins', 'rollout_outcomes', 'rollouts']) await db.schema.dropTable(name).execute();
  },
};

const TABLES = [
  `create table rollouts (
     id text primary key, organization text not null references organizations (id),
     product text not null, channel text not null, version text not null,
     state text not null, document jsonb not null, paused_at timestamptz, halted_why text,
     revision integer not null, created_at timestamptz not null,
     unique (organization, product, channel, version))`,
  'create index rollouts_by_organization on rollouts (organization, created_at, id)',
  `create table rollout_outcomes (
     rollout_id text not null references rollouts (id) on delete cascade,
     site_id text not null references sites (id) on delete cascade,
     outcome text not null, at timestamptz not null, primary key (rollout_id, site_id))`,
  'create index rollout_outcomes_by_site on rollout_outcomes (site_id)',
  `create table bulletins (
     organization text not null references organizations (id), product text not null, channel text not null,
     sequence integer not null, said text not null, document text not null, expires_at timestamptz not null,
     primary key (organization, product, channel))`,
];
