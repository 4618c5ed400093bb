// Everything belongs to an organization: what was there before there were several belongs to the first.
import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

const OWNED = ['secrets', 'metadata', 'releases', 'leases', 'licenses', 'sites'] as const;

export const tenantTables: Migration = {
  async up(db: Kysely<unknown>) {
    for (const table of OWNED) await sql.raw(ownedColumn(table)).execute(db);
    for (const statement of UP) await sql.raw(statement).execute(db);
  },
  async down(db: Kysely<unknown>) {
    for (const statement of DOWN) await sql.raw(statement).execute(db);
    for (const table of OWNED) await sql.raw(`alter table ${table} drop column organization`).execute(db);
  },
};

function ownedColumn(table: string): string {
  return `alter table ${table} add column organization text not null default 'default' references organizations (id)`;
}

const UP = [
  'alter table secrets drop constraint secrets_pkey, add primary key (organization, name)',
  'alter table metadata drop constraint metadata_pkey, add primary key (organization, role, version)',
  'alter table leases drop constraint leases_pkey, add primary key (organization, digest, holder)',
  `alter table releases drop constraint releases_product_channel_version_key,
     add unique (organization, product, channel, version)`,
  'create index releases_by_organization on releases (organization, created_at, id)',
  'create index licenses_by_organization on licenses (organization, created_at, id)',
  'create index sites_by_organization on sites (organization, last_seen_at, id)',
];

/** Before, there was one organization: what the others have goes. */
const DOWN = [
  `delete from wraps where license_id in (select id from licenses where organization <> 'default')`,
  `delete from certificates where license_id in (select id from licenses where organization <> 'default')`,
  ...['sites', 'licenses', 'leases', 'releases', 'metadata', 'secrets'].map(
    table => `delete from ${table} where organization <> 'default'`,
  ),
  'drop index releases_by_organization, licenses_by_organization, sites_by_organization',
  `alter table releases drop constraint releases_organization_product_channel_version_key,
     add unique (product, channel, version)`,
  'alter table leases drop constraint leases_pkey, add primary key (digest, holder)',
  'alter table metadata drop constraint metadata_pkey, add primary key (role, version)',
  'alter table secrets drop constraint secrets_pkey, add primary key (name)',
];
