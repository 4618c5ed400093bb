// Migration 0100: support bundles of sites. The parts lie where sealed objects lie; code of before would collect them as garbage.
import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

export const supportTables: Migration = {
  async up(db: Kysely<unknown>) {
    await sql`create table support_bundles (
      organization text not null references organizations (id), id text not null,
      site_id text not null references sites (id) on delete cascade, state text not null, via text not null,
      head jsonb not null, made_at timestamptz not null, agent_version text not null, note text, files jsonb not null,
      bytes integer not null, parts text[] not null, created_at timestamptz not null, primary key (organization, id))`.execute(
      db,
    );
    await sql`create index support_bundles_by_site on support_bundles (organization, site_id, created_at, id)`.execute(
      db,
    );
    await sql`create index support_bundles_of_site on support_bundles (site_id)`.execute(db);
  },
  async down(db: Kysely<unknown>) {
    await db.schema.dropTable('support_bundles').execute();
  },
};
