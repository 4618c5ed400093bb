// The history of the schema, forward and back. A migration that has been released is never edited.
import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { auditChain } from '../audit/migration.ts';
import { serverError } from '../errors.ts';
import { rolloutTables } from '../rollouts/migration.ts';
import { webhooks } from '../webhooks/migration.ts';
import { ACCESS } from './access-tables.ts';
import type { Database } from './database.ts';
import { licenseTables } from './license-tables.ts';
import { idempotencyEffects, schemaCompat } from './operations-tables.ts';
import { siteTables } from './site-tables.ts';
import { supportTables } from './support-tables.ts';
import { tenantTables } from './tenant-tables.ts';
import { draftsAndYanks, rehearsals } from './upgrade-tables.ts';

export const MIGRATIONS: Readonly<Record<string, Migration>> = {
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
  '0050-idempotency-effects': idempotencyEffects,
  '0051-schema-compat': schemaCompat,
  '0060-rollouts': rolloutTables,
  '0070-sites': siteTables,
  '0071-license-lifecycle': licenseTables,
  '0090-drafts-and-yanks': draftsAndYanks,
  '0091-rehearsals': rehearsals,
  '0100-support-bundles': supportTables,
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

export type Migrations = Readonly<Record<string, Migration>>;

/**
 * The oldest schema whose code runs on the newest one. A migration that code of before cannot live with (it drops, renames, demands
 * something, or says or keeps what that code would unsay or throw away, as yanks and support bundles do) names itself here; until then, processes of before run beside those of
 * now. docs/operations.md has the rule.
 */
const OLDEST_COMPATIBLE = '0100-support-bundles';

/**
 * Brings the schema to the newest version. Safe to run from several processes: kysely takes a lock. A schema that is newer than
 * this code is left as it is, when it is said to be compatible.
 *
 * @throws `schema-newer`
 */
export async function migrate(
  db: Database,
  migrations: Migrations = MIGRATIONS,
  oldestCompatible = OLDEST_COMPATIBLE,
): Promise<void> {
  const ours = Object.keys(migrations).sort();
  const newer = (await appliedMigrations(db)).find(name => !(name in migrations));
  if (newer !== undefined) return requireCompatible(db, newer, ours.at(-1) as string);
  const { error } = await migratorOf(db, migrations).migrateToLatest();
  // Another process may have gone further in between.
  const overtaken = (await appliedMigrations(db)).find(name => !(name in migrations));
  if (overtaken !== undefined) return requireCompatible(db, overtaken, ours.at(-1) as string);
  if (error) throw error;
  await db
    .insertInto('schema_compat')
    .values({ oldest: oldestCompatible })
    .onConflict(conflict => conflict.column('one').doUpdateSet({ oldest: oldestCompatible }))
    .execute();
}

async function requireCompatible(db: Database, newer: string, newest: string): Promise<void> {
  const row = await db.selectFrom('schema_compat').select('oldest').executeTakeFirst();
  if (row && row.oldest <= newest) return;
  throw serverError('schema-newer', `The database has the schema ${newer}; this version knows ${newest}.`);
}

/** Names of the migrations that the database has; none for an empty one. */
export async function appliedMigrations(db: Database): Promise<readonly string[]> {
  const { rows } = await sql<{ there: boolean }>`select to_regclass('kysely_migration') is not null as there`.execute(
    db,
  );
  if (!rows[0]?.there) return [];
  const applied = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  return applied.rows.map(({ name }) => name);
}

/** Goes to any version, forward and back. */
export function migratorOf(db: Database, migrations: Migrations = MIGRATIONS): Migrator {
  return new Migrator({ db, provider: { getMigrations: async () => ({ ...migrations }) } });
}
