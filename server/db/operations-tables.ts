// What running the service in several processes, also of two versions, needs in the database.
import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Whether a call whose process died had its effect. */
export const idempotencyEffects: Migration = steps(
  'alter table idempotency add column effect_at timestamptz',
  'alter table idempotency drop column effect_at',
);

/** The oldest schema whose code runs on this one: one row, written by who migrates. */
export const schemaCompat: Migration = steps(
  'create table schema_compat (one boolean primary key default true check (one), oldest text not null)',
  'drop table schema_compat',
);

function steps(up: string, down: string): Migration {
  return {
    up: async (db: Kysely<unknown>) => void (await sql.raw(up).execute(db)),
    down: async (db: Kysely<unknown>) => void (await sql.raw(down).execute(db)),
  };
}
