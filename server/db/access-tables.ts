// The tables of tenants and access: organizations, people, how they sign in, and tokens that have limits.
import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

export const ACCESS: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of UP) await sql.raw(statement).execute(db);
  },
  async down(db: Kysely<unknown>) {
    for (const statement of DOWN) await sql.raw(statement).execute(db);
  },
};

/** What tokens could do that were made when there were no scopes: everything. Later scopes are given at the start. */
const ALL_SCOPES = `array[${[
  'release',
  'channel',
  'license',
  'site',
  'rollout',
  'trust',
  'webhook',
  'member',
  'token',
  'audit',
  'service',
]
  .flatMap(subject => [`'${subject}:read'`, `'${subject}:write'`])
  .join(', ')}]`;

const UP = [
  `create table organizations (
     id text primary key, name text not null, revision integer not null default 1, created_at timestamptz not null)`,
  "insert into organizations (id, name, created_at) values ('default', 'default', now())",
  `create table users (
     id text primary key, email text not null unique check (email = lower(email)), name text not null, password_hash text,
     totp_sealed bytea, totp_next_sealed bytea, totp_step integer not null default 0,
     recovery_hash text unique, recovery_until timestamptz,
     disabled_at timestamptz, revision integer not null default 1, created_at timestamptz not null)`,
  `create table memberships (
     organization text not null references organizations (id), user_id text not null references users (id) on delete cascade,
     role text not null, provider text, revision integer not null default 1, created_at timestamptz not null,
     primary key (organization, user_id))`,
  'create index memberships_by_user on memberships (user_id)',
  `create table invitations (
     id text primary key, organization text not null references organizations (id), email text not null, role text not null,
     hash text not null unique, created_by text not null, created_at timestamptz not null, expires_at timestamptz not null,
     unique (organization, email))`,
  `create table sessions (
     hash text primary key, user_id text not null, organization text not null, provider text,
     created_at timestamptz not null, last_used_at timestamptz not null, expires_at timestamptz not null,
     foreign key (organization, user_id) references memberships (organization, user_id) on delete cascade)`,
  'create index sessions_by_user on sessions (user_id)',
  `create table recovery_codes (
     user_id text not null references users (id) on delete cascade, hash text not null, primary key (user_id, hash))`,
  `create table identities (
     issuer text not null, subject text not null, user_id text not null references users (id) on delete cascade,
     created_at timestamptz not null, primary key (issuer, subject))`,
  'create index identities_by_user on identities (user_id)',
  'create table oidc_nonces (hash text primary key, used_at timestamptz not null)',
  `create table attempts (
     key text primary key, count integer not null, last_at timestamptz not null, until timestamptz not null)`,
  `alter table tokens
     add column organization text not null default 'default' references organizations (id),
     add column scopes text[] not null default '{}', add column products text[], add column created_by text,
     add column expires_at timestamptz, add column last_used_at timestamptz, add column revoked_at timestamptz`,
  `update tokens set scopes = ${ALL_SCOPES}`,
  // A name says in the audit who did something: of several tokens with one name, the newest keeps it.
  `update tokens set name = name || '-' || left(hash, 8) where id not in (
     select distinct on (name) id from tokens order by name, created_at desc, id)`,
  'create unique index tokens_by_name on tokens (organization, name) where revoked_at is null',
];

/** Without these columns every token may do everything: those that may not go. */
const DOWN = [
  `delete from tokens where organization <> 'default' or revoked_at is not null or expires_at is not null
     or products is not null or not scopes @> ${ALL_SCOPES}`,
  'drop index tokens_by_name',
  `alter table tokens drop column organization, drop column scopes, drop column products, drop column created_by,
     drop column expires_at, drop column last_used_at, drop column revoked_at`,
  'drop table attempts, oidc_nonces, identities, recovery_codes, sessions, invitations, memberships, users, organizations',
];
