// The people of an organization and what each may do. An organization keeps at least one owner who can sign in.
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import { serverError } from '../errors.ts';
import { type Page, page } from '../http/paging.ts';
import { requireRevision } from '../http/revision.ts';
import type { Caller } from '../http/route.ts';
import { writeDown } from './deeds.ts';
import { requireScopes, scopesOfRole } from './grants.ts';
import { beyond, type PageWanted } from './listing.ts';
import { takeBack } from './makers.ts';
import type { Role } from './scopes.ts';

export interface MemberView {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly role: Role;
  /** The identity provider that they came by; null: password. */
  readonly provider: string | null;
  readonly secondStep: boolean;
  readonly disabled: boolean;
  readonly joinedAt: string;
  readonly revision: number;
}

/** In the order in which they joined. @param email only the one with this address */
export async function listMembers(
  tenant: Tenant,
  { limit, cursor }: PageWanted,
  email: string | undefined,
): Promise<Page<MemberView>> {
  const rows = await views(tenant)
    .$if(email !== undefined, query => query.where('u.email', '=', email as string))
    .where(beyond('m.created_at', 'u.id', '>', cursor))
    .orderBy('m.created_at')
    .orderBy('u.id')
    .limit(limit + 1)
    .execute();
  return page(rows, limit, viewOf, row => ({ at: row.created_at.toISOString(), id: row.id }));
}

/** @throws `not-found` */
export async function memberById(tenant: Tenant, id: string): Promise<MemberView> {
  const row = await views(tenant).where('u.id', '=', id).executeTakeFirst();
  if (!row) throw serverError('not-found', `There is no member ${id}.`);
  return viewOf(row);
}

/**
 * Gives a member another role. What they have made that may do more than the new role is taken back.
 *
 * @throws `forbidden` where the old or the new role may do more than the caller; `last-owner`, `not-found`, `precondition-failed`
 */
export async function changeRole(
  tenant: Tenant,
  caller: Caller,
  { id, role, ifMatch }: { readonly id: string; readonly role: Role; readonly ifMatch: number | undefined },
): Promise<MemberView> {
  return tenant.db.transaction().execute(async db => {
    const member = await lockedMember(db, tenant, caller, id);
    requireRevision(member.revision, ifMatch);
    requireScopes(caller.scopes, scopesOfRole(role), `The role ${role}`);
    if (role !== 'owner') await requireAnotherOwner(db, tenant.organization, member);
    await db
      .updateTable('memberships')
      .set({ role, revision: member.revision + 1 })
      .where('organization', '=', tenant.organization)
      .where('user_id', '=', id)
      .execute();
    const lost = { user: id, organization: tenant.organization, scopes: scopesOfRole(role) };
    const taken = await takeBack(db, tenant.now(), lost);
    const { organization } = tenant;
    await writeDown(db, tenant, caller.actor, [{ organization, action: 'member.change-role', subject: id }, ...taken]);
    return memberById({ ...tenant, db }, id);
  });
}

/**
 * Removes a member: sessions in this organization end, and what they have made here is taken back. Who belongs nowhere any more is
 * forgotten, unless whoever runs the service has shut them out.
 *
 * @throws `forbidden` for a member who may do more than the caller; `last-owner`, `not-found`, `precondition-failed`
 */
export async function removeMember(
  tenant: Tenant,
  caller: Caller,
  { id, ifMatch }: { readonly id: string; readonly ifMatch: number | undefined },
): Promise<void> {
  const { organization } = tenant;
  await tenant.db.transaction().execute(async db => {
    const member = await lockedMember(db, tenant, caller, id);
    requireRevision(member.revision, ifMatch);
    await requireAnotherOwner(db, organization, member);
    await db.deleteFrom('memberships').where('organization', '=', organization).where('user_id', '=', id).execute();
    const taken = await takeBack(db, tenant.now(), { user: id, organization, scopes: [] });
    await db
      .deleteFrom('users')
      .where('id', '=', id)
      .where('disabled_at', 'is', null)
      .where(({ not, exists, selectFrom }) =>
        not(exists(selectFrom('memberships').select('user_id').where('user_id', '=', id))),
      )
      .execute();
    await writeDown(db, tenant, caller.actor, [...taken, { organization, action: 'member.remove', subject: id }]);
  });
}

/** @throws `not-found`, `forbidden` */
async function lockedMember(db: Database, { organization }: Tenant, caller: Caller, id: string) {
  // The organization's row, and not the member's, is what two owners who remove each other wait for. Nobody else waits: rows that
  // refer to it are added in the meantime.
  await db.selectFrom('organizations').select('id').where('id', '=', organization).forNoKeyUpdate().execute();
  const member = await db
    .selectFrom('memberships')
    .selectAll()
    .where('organization', '=', organization)
    .where('user_id', '=', id)
    .executeTakeFirst();
  if (!member) throw serverError('not-found', `There is no member ${id}.`);
  requireScopes(caller.scopes, scopesOfRole(member.role), `The role ${member.role}`);
  return member;
}

/** @throws `last-owner` */
async function requireAnotherOwner(
  db: Database,
  organization: string,
  member: { readonly role: string; readonly user_id: string },
): Promise<void> {
  if (member.role !== 'owner') return;
  const other = await db
    .selectFrom('memberships as m')
    .innerJoin('users as u', 'u.id', 'm.user_id')
    .select('u.id')
    .where('m.organization', '=', organization)
    .where('m.role', '=', 'owner')
    .where('u.id', '<>', member.user_id)
    .where('u.disabled_at', 'is', null)
    .executeTakeFirst();
  if (!other) throw serverError('last-owner', 'This is the last owner who can sign in.');
}

function views({ db, organization }: Tenant) {
  return db
    .selectFrom('memberships as m')
    .innerJoin('users as u', 'u.id', 'm.user_id')
    .select(['u.id', 'u.email', 'u.name', 'u.disabled_at', 'm.role', 'm.provider', 'm.revision', 'm.created_at'])
    .select(({ eb }) => eb('u.totp_sealed', 'is not', null).as('second_step'))
    .where('m.organization', '=', organization);
}

type ViewRow = Awaited<ReturnType<ReturnType<typeof views>['executeTakeFirstOrThrow']>>;

function viewOf(row: ViewRow): MemberView {
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    role: row.role as Role,
    provider: row.provider,
    secondStep: row.second_step === true,
    disabled: row.disabled_at !== null,
    joinedAt: row.created_at.toISOString(),
    revision: row.revision,
  };
}
