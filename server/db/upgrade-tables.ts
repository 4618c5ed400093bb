// What came with upgrades: releases that are drafts or yanked, and upgrades that were rehearsed.
import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

export const draftsAndYanks: Migration = {
  async up(db: Kysely<unknown>) {
    await sql`alter table releases
      add column yanked_at timestamptz, add column yank_reason text, add column yank_advice text,
      add column attestations jsonb, add column revision integer not null default 1`.execute(db);
  },
  /** Before, there were no drafts: they would be taken for releases. */
  async down(db: Kysely<unknown>) {
    await sql`delete from releases where state = 'draft'`.execute(db);
    await sql`alter table releases
      drop column yanked_at, drop column yank_reason, drop column yank_advice,
      drop column attestations, drop column revision`.execute(db);
  },
};

export const rehearsals: Migration = {
  async up(db: Kysely<unknown>) {
    await sql`create table rehearsals (
      id text primary key, organization text not null references organizations (id),
      license_id text not null references licenses (id), from_version text not null, to_version text not null,
      evidence text not null, actor text not null, created_at timestamptz not null)`.execute(db);
    await sql`create index rehearsals_by_license on rehearsals (organization, license_id, created_at, id)`.execute(db);
  },
  async down(db: Kysely<unknown>) {
    await db.schema.dropTable('rehearsals').execute();
  },
};
