// The history of the schema, forward and back. A migration that has been released is never edited.
import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { auditChain } from '../audit/migration.ts';
import { webhooks } from '../webhooks/migration.ts';
import { ACCESS } from './access-tables.ts';
import type { Database } from './database.ts';
import { tenantTables } from './tenant-tables.ts';
import { draftsAndYanks, rehearsals } from './upgrade-tables.ts';

const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-first-tables': {
    async up(db: Kysely<unknown>) {
      for (const statement of FIRST_TABLES) await sql.raw(statement).execute(db);
    },
    async down(db: Kysely<unknown>) {
      const names = ['audit', 'tokens', 'wraps', 'sites', 'licenses', 'releases', 'metadata', 'secrets'];
      for (const name of names) await db.schema.dropTable(name).execute();
    },
  },
  '0002-indexes-and-leases': {
    async up(db: Kysely<unknown>) {
      for (const statement of INDEXES_AND_LEASES) await sql.raw(statement).execute(db);
    },
    async down(db: Kysely<unknown>) {
      await db.schema.dropTable('leases').execute();
      await sql`alter table releases drop column index_digest, drop column content_digest`.execute(db);
    },
  },
  '0003-director': {
    async up(db: Kysely<unknown>) {
      await sql`create sequence director_sequence`.execute(db);
    },
    async down(db: Kysely<unknown>) {
      await sql`drop sequence director_sequence`.execute(db);
    },
  },
  '0004-certificates': {
    async up(db: Kysely<unknown>) {
      for (const statement of CERTIFICATES) await sql.raw(statement).execute(db);
    },
    async down(db: Kysely<unknown>) {
      await db.schema.dropTable('certificates').execute();
    },
  },
  '0010-idempotency': {
    async up(db: Kysely<unknown>) {
      await sql`create table idempotency (
        id text primary key, fingerprint text not null, created_at timestamptz not null, status integer, body text)`.execute(
        db,
      );
      await sql`create index idempotency_by_age on idempotency (created_at)`.execute(db);
    },
    async down(db: Kysely<unknown>) {
      await db.schema.dropTable('idempotency').execute();
    },
  },
  '0011-access': ACCESS,
  '0012-audit-chain': auditChain,
  '0013-webhooks': webhooks,
  '0014-tenants': tenantTables,
  '0040-drafts-and-yanks': draftsAndYanks,
  '0041-rehearsals': rehearsals,
};

const CERTIFICATES = [
  `create table certificates (
     serial text primary key, license_id text not null references licenses (id), fingerprint text not null,
     issued_at timestamptz not null, expires_at timestamptz not null, revoked_at timestamptz)`,
  'create index certificates_by_license on certificates (license_id)',
];

/** Releases from before have neither: they are no base for packing, and their content is not recognized again. */
const INDEXES_AND_LEASES = [
  "alter table releases add column index_digest text not null default '', add column content_digest text not null default ''",
  'create table leases (digest text not null, holder text not null, until timestamptz not null, primary key (digest, holder))',
  'create index leases_by_until on leases (until)',
];

const FIRST_TABLES = [
  'create table secrets (name text primary key, sealed bytea not null)',
  `create table metadata (
     role text not null, version integer not null check (version > 0), body bytea not null,
     published_at timestamptz not null, primary key (role, version))`,
  `create table releases (
     id text primary key, product text not null, channel text not null, version text not null,
     counter integer not null, state text not null, problem text, manifest_digest text not null,
     sealed_content_key bytea not null, document text not null,
     created_at timestamptz not null, published_at timestamptz, unique (product, channel, version))`,
  'create index releases_by_manifest on releases (manifest_digest)',
  `create table licenses (
     id text primary key, customer text not null, product text not null, channels text[] not null, status text not null, document text not null,
     node_limit integer not null, site_limit integer not null, entitlement_public_key text not null,
     sealed_psk bytea not null, expires_at timestamptz, created_at timestamptz not null)`,
  `create table sites (
     id text primary key, license_id text not null references licenses (id), name text not null,
     public_key text not null, activated_at timestamptz not null, last_seen_at timestamptz not null, report jsonb)`,
  'create index sites_by_license on sites (license_id)',
  `create table wraps (
     manifest_digest text not null, license_id text not null references licenses (id), body jsonb not null,
     primary key (manifest_digest, license_id))`,
  'create table tokens (id text primary key, name text not null, hash text not null unique, created_at timestamptz not null)',
  `create table audit (
     seq bigint generated always as identity primary key, at timestamptz not null,
     actor text not null, action text not null, subject text not null)`,
];

/** Brings the schema to the newest version. Safe to run from several processes: kysely takes a lock. */
export async function migrate(db: Database): Promise<void> {
  const { error } = await migratorOf(db).migrateToLatest();
  if (error) throw error;
}

/** Goes to any version, forward and back. */
export function migratorOf(db: Database): Migrator {
  return new Migrator({ db, provider: { getMigrations: async () => ({ ...MIGRATIONS }) } });
}
