// Migration 0071: the life of a license, what more than its limits means, seats of floating ones, and lists that stay fast.
import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

export const licenseTables: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of UP) await sql.raw(statement).execute(db);
  },
  async down(db: Kysely<unknown>) {
    for (const statement of DOWN) await sql.raw(statement).execute(db);
  },
};

/** The payload of a compact JWS: base64url, which PostgreSQL does not decode by itself. */
const PAYLOAD = `rpad(translate(split_part(document, '.', 2), '-_', '+/'),
  4 * ceil(length(split_part(document, '.', 2)) / 4.0)::int, '=')`;

/** What `liveNodes` counts (`bundles/activation.ts`); written out, because a migration never changes. */
const LIVE = `(select coalesce(sum(value::int), 0) from jsonb_each_text(site_reports.report -> 'nodes')
  where key not in ('discovered', 'fenced', 'quarantined', 'leaving', 'removed'))`;

const UP = [
  `alter table licenses
     add column features text[] not null default '{}', add column trial boolean not null default false,
     add column overage text not null default 'refuse', add column expiry text not null default 'keep',
     add column grace_days integer not null default 0, add column floating boolean not null default false,
     add column suspended_reason text, add column revision integer not null default 1,
     add check (expires_at is not null or not trial)`,
  `update licenses set features = array(
     select jsonb_array_elements_text(convert_from(decode(${PAYLOAD}, 'base64'), 'utf8')::jsonb -> 'features'))
     where document like '%.%.%'`,
  `alter table sites
     add column live_nodes integer not null default 0, add column beyond_limit boolean not null default false`,
  `update sites set live_nodes = ${LIVE} from site_reports
     where site_reports.site_id = sites.id and jsonb_typeof(site_reports.report -> 'nodes') = 'object'`,
  `create table seats (
     organization text not null references organizations (id),
     license_id text not null references licenses (id), site_id text not null references sites (id) on delete cascade,
     seats integer not null check (seats > 0), until timestamptz not null, primary key (license_id, site_id))`,
  'create index seats_by_site on seats (site_id)',
  'create index licenses_by_customer on licenses (organization, lower(customer), created_at, id)',
  'create index licenses_by_product on licenses (organization, product, created_at, id)',
  // Nearly all are active: an index of the others is small, and the newest of the active ones are found at once without one.
  `create index licenses_by_status on licenses (organization, status, created_at, id) where status <> 'active'`,
  'create index licenses_by_end on licenses (organization, expires_at, id) where expires_at is not null',
  'create index audit_by_subject on audit (organization, subject, number)',
];

/** Before, a license was not suspended, and nobody could end it: it stays so, as the service of then knew the word. */
const DOWN = [
  'drop index audit_by_subject',
  'drop index licenses_by_customer, licenses_by_product, licenses_by_status, licenses_by_end',
  'drop table seats',
  'alter table sites drop column live_nodes, drop column beyond_limit',
  `alter table licenses
     drop column features, drop column trial, drop column overage, drop column expiry, drop column grace_days,
     drop column floating, drop column suspended_reason, drop column revision`,
];
