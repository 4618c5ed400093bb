// Migration 0070: what the fleet is searched by, as columns, and the history of each site.
//
// No index holds `last_seen_at`: it is written every minute for every site, and an update that touches no index stays cheap
// (PostgreSQL's heap-only tuples; `fillfactor` leaves them room). Reports lie in a table of their own, so that
// looking through a whole fleet reads little. Lists are in the order of names, which never change.
import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

export const siteTables: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of UP) await sql.raw(statement).execute(db);
  },
  async down(db: Kysely<unknown>) {
    for (const statement of DOWN) await sql.raw(statement).execute(db);
  },
};

const UP = [
  `alter table sites
     add column version text, add column health text not null default 'unknown', add column state text not null default 'none',
     add column node_count integer not null default 0, add column agent_version text, add column via text,
     add column search text not null default '', add column reported_at timestamptz, add column report_sequence bigint not null default 0`,
  'alter table sites set (fillfactor = 80)',
  `update sites set version = report->>'installed', state = coalesce(report->>'rollover', 'none'), agent_version = report->>'agentVersion',
     node_count = (select coalesce(sum(value::integer), 0) from jsonb_each_text(report->'nodes')),
     via = 'connection', reported_at = last_seen_at
   where report is not null`,
  "update sites set search = lower(name) || ' ' || id",
  `create table site_reports (
     site_id text primary key references sites (id) on delete cascade,
     organization text not null references organizations (id), report jsonb not null)`,
  'insert into site_reports select id, organization, report from sites where report is not null',
  'alter table sites drop column report',
  'drop index sites_by_organization',
  'create index sites_by_name on sites (organization, name, id)',
  'create index sites_by_version on sites (organization, version, name, id)',
  'create index sites_by_health on sites (organization, health, name, id)',
  'create index sites_by_state on sites (organization, state, name, id)',
  'drop index sites_by_license',
  'create index sites_by_license on sites (license_id, name, id)',
  `create table site_events (
     id bigint generated always as identity primary key, organization text not null references organizations (id),
     site_id text not null references sites (id) on delete cascade,
     at timestamptz not null, type text not null, details jsonb not null)`,
  'create index site_events_by_site on site_events (site_id, id)',
];

const DOWN = [
  'drop table site_events',
  'alter table sites add column report jsonb',
  'update sites set report = site_reports.report from site_reports where site_id = id',
  'drop table site_reports',
  'drop index sites_by_name, sites_by_version, sites_by_health, sites_by_state, sites_by_license',
  'create index sites_by_license on sites (license_id)',
  'create index sites_by_organization on sites (organization, last_seen_at, id)',
  'alter table sites reset (fillfactor)',
  `alter table sites drop column version, drop column health, drop column state, drop column node_count,
     drop column agent_version, drop column via, drop column search, drop column reported_at, drop column report_sequence`,
];
