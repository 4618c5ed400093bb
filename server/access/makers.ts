// Who made a token or an invitation: a person, or another token. What somebody has made is a way back in, so it goes when they go.
import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../db/database.ts';
import { serverError } from '../errors.ts';
import type { Caller } from '../http/route.ts';
import type { Deed } from './deeds.ts';
import { scopesOfRole } from './grants.ts';
import { knownScopes, type Scope } from './scopes.ts';

export interface Maker {
  readonly id: string;
  /** What it may do at this moment, which may be less than when its request began. */
  readonly scopes: readonly Scope[];
}

/**
 * Whoever calls, held as it is until the transaction ends: what somebody makes while they are being removed is either seen by
 * {@link takeBack}, or not made.
 *
 * @throws `unauthorized` when that has happened
 */
export async function lockedMaker(db: Database, { session, organization, actor }: Caller): Promise<Maker> {
  const maker = session
    ? await lockedMembership(db, session.user, organization)
    : await lockedToken(db, organization, actor.replace(/^token:/, ''));
  if (!maker) throw serverError('unauthorized', 'Whoever made this call has just been removed.');
  return maker;
}

async function lockedMembership(db: Database, user: string, organization: string): Promise<Maker | undefined> {
  const row = await db
    .selectFrom('memberships')
    .select('role')
    .where('organization', '=', organization)
    .where('user_id', '=', user)
    .forShare()
    .executeTakeFirst();
  return row && { id: user, scopes: scopesOfRole(row.role) };
}

async function lockedToken(db: Database, organization: string, name: string): Promise<Maker | undefined> {
  const row = await db
    .selectFrom('tokens')
    .select(['id', 'scopes'])
    .where('organization', '=', organization)
    .where('name', '=', name)
    .where('revoked_at', 'is', null)
    .forShare()
    .executeTakeFirst();
  return row && { id: row.id, scopes: knownScopes(row.scopes) };
}

/** The maker as the audit names it; null for the service, and for somebody who is gone. */
export function makerName(createdBy: string): RawBuilder<string | null> {
  const id = sql.ref(createdBy);
  return sql<string | null>`coalesce(
    (select 'user:' || email from users where users.id = ${id}),
    (select 'token:' || name from tokens as makers where makers.id = ${id}))`;
}

/** What a person may still do; without `organization`, in all of them. */
interface Loss {
  readonly user: string;
  readonly organization?: string;
  readonly scopes: readonly Scope[];
}

/**
 * Takes back what a person has made, and what that has made in turn, as far as it may do more than `scopes`: tokens are revoked,
 * invitations withdrawn. The caller writes it down.
 */
export async function takeBack(db: Database, at: Date, loss: Loss): Promise<readonly Deed[]> {
  const { user, organization, scopes } = loss;
  const { made, revoked } = await revokeMade(db, at, loss);
  const invitations = await db
    .selectFrom('invitations')
    .select(['id', 'role', 'organization'])
    .where('created_by', 'in', [user, ...made])
    .$if(organization !== undefined, query => query.where('organization', '=', organization as string))
    .execute();
  const withdrawn = invitations.filter(({ role }) => !isWithin(scopesOfRole(role), scopes));
  for (const { id } of withdrawn) await db.deleteFrom('invitations').where('id', '=', id).execute();
  return [
    ...revoked.map(row => ({ organization: row.organization, action: 'token.revoke', subject: row.id })),
    ...withdrawn.map(row => ({
      organization: row.organization,
      action: 'member.withdraw-invitation',
      subject: row.id,
    })),
  ];
}

interface MadeToken {
  readonly id: string;
  readonly organization: string;
  readonly scopes: readonly string[];
  readonly revoked: boolean;
}

/** Revokes, and looks again until nothing is left: a token may have made another one just before. `made` are the ids of all. */
async function revokeMade(
  db: Database,
  at: Date,
  { user, organization, scopes }: Loss,
): Promise<{ readonly made: readonly string[]; readonly revoked: readonly MadeToken[] }> {
  const revoked: MadeToken[] = [];
  const where = organization ?? null;
  for (;;) {
    const { rows } = await sql<MadeToken>`
      with recursive made as (
        select id from tokens where created_by = ${user} and (${where}::text is null or organization = ${where})
        union select t.id from tokens t join made on t.created_by = made.id)
      select t.id, t.organization, t.scopes, t.revoked_at is not null as revoked
        from tokens t join made on made.id = t.id for update of t`.execute(db);
    const excessive = rows.filter(token => !token.revoked && !isWithin(token.scopes, scopes));
    if (excessive.length === 0) return { made: rows.map(({ id }) => id), revoked };
    await db
      .updateTable('tokens')
      .set({ revoked_at: at })
      .where(
        'id',
        'in',
        excessive.map(({ id }) => id),
      )
      .execute();
    revoked.push(...excessive);
  }
}

function isWithin(scopes: readonly string[], allowed: readonly string[]): boolean {
  return scopes.every(scope => allowed.includes(scope));
}
