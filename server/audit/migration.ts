// Migration 0012: makes the audit log a chain. Entries that are there already are chained in their order.
import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { FIRST_ORGANIZATION } from '../context.ts';
import { type Entry, entryHash, GENESIS } from './chain.ts';

const BATCH = 1000;

export const auditChain: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of COLUMNS) await sql.raw(statement).execute(db);
    await chainEntries(db);
    for (const statement of CONSTRAINTS) await sql.raw(statement).execute(db);
  },
  async down(db: Kysely<unknown>) {
    for (const statement of BACK) await sql.raw(statement).execute(db);
  },
};

const COLUMNS = [
  `alter table audit
     add organization text not null default '${FIRST_ORGANIZATION}', add number bigint,
     add request text, add address text, add details jsonb not null default '{}',
     add previous text, add hash text`,
];

const CONSTRAINTS = [
  `alter table audit
     alter organization drop default, alter details drop default,
     alter number set not null, alter previous set not null, alter hash set not null,
     drop column seq, add primary key (organization, number)`,
  `create function audit_only_grows() returns trigger language plpgsql as
     $$ begin raise exception 'entries of the audit log are never changed or deleted'; end $$`,
  `create trigger audit_only_grows before update or delete or truncate on audit
     for each statement execute function audit_only_grows()`,
];

const BACK = [
  'alter table audit rename to audit_chain',
  `create table audit (
     seq bigint generated always as identity primary key, at timestamptz not null,
     actor text not null, action text not null, subject text not null)`,
  `insert into audit (at, actor, action, subject)
     select at, actor, action, subject from audit_chain order by at, organization, number`,
  'drop table audit_chain',
  'drop function audit_only_grows',
];

interface OldRow {
  readonly seq: string;
  readonly at: Date;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
}

async function chainEntries(db: Kysely<unknown>): Promise<void> {
  let previous = GENESIS;
  let number = 0;
  for (let seq = '0'; ; ) {
    const query = sql<OldRow>`select seq, at, actor, action, subject from audit where seq > ${seq} order by seq limit ${BATCH}`;
    const { rows } = await query.execute(db);
    const last = rows.at(-1);
    if (!last) return;
    seq = last.seq;
    const chained = rows.map(({ seq, at, ...said }) => {
      const entry: Entry = {
        version: 1,
        organization: FIRST_ORGANIZATION,
        number: ++number,
        at: at.toISOString(),
        ...said,
        request: null,
        address: null,
        details: {},
        previous,
      };
      previous = entryHash(entry);
      return { seq, number, previous: entry.previous, hash: previous };
    });
    // Times are kept to the millisecond from here on, as they are hashed.
    await sql`
      update audit set number = v.number, previous = v.previous, hash = v.hash, at = date_trunc('milliseconds', at)
      from jsonb_to_recordset(${JSON.stringify(chained)}::jsonb) as v(seq bigint, number bigint, previous text, hash text)
      where audit.seq = v.seq`.execute(db);
  }
}
