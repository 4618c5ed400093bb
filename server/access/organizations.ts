// The vendors that share the service. Only whoever runs the service makes and names them; each is then run by its owners.
import { randomUUID } from 'node:crypto';
import { type Context, tenantOf } from '../context.ts';
import type { Database } from '../db/database.ts';
import { serverError } from '../errors.ts';
import { type Page, page } from '../http/paging.ts';
import { requireRevision } from '../http/revision.ts';
import type { Caller } from '../http/route.ts';
import { writeDown } from './deeds.ts';
import { addInvitation, invited, type NewInvitation } from './invitations.ts';
import { beyond, type PageWanted } from './listing.ts';

export interface OrganizationView {
  readonly id: string;
  readonly name: string;
  readonly createdAt: string;
  readonly revision: number;
}

/** In the order of their making. */
export async function listOrganizations(
  { db }: Context,
  { limit, cursor }: PageWanted,
): Promise<Page<OrganizationView>> {
  const rows = await db
    .selectFrom('organizations')
    .selectAll()
    .where(beyond('created_at', 'id', '>', cursor))
    .orderBy('created_at')
    .orderBy('id')
    .limit(limit + 1)
    .execute();
  return page(rows, limit, viewOf, row => ({ at: row.created_at.toISOString(), id: row.id }));
}

/** @throws `not-found` */
export async function organizationById(db: Database, id: string): Promise<OrganizationView> {
  const row = await db.selectFrom('organizations').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row) throw unknown(id);
  return viewOf(row);
}

/** Makes an organization and invites its first owner. */
export async function createOrganization(
  context: Context,
  caller: Caller,
  { name, owner }: { readonly name: string; readonly owner: string },
): Promise<{ readonly organization: OrganizationView; readonly invitation: NewInvitation }> {
  const id = `org-${randomUUID()}`;
  return context.db.transaction().execute(async db => {
    await db.insertInto('organizations').values({ id, name, created_at: context.now() }).execute();
    const invitation = await inviteFirst({ ...context, db }, caller, id, owner);
    const organization = await organizationById(db, id);
    const created = { organization: caller.organization, action: 'organization.create', subject: id };
    await writeDown(db, context, caller.actor, [created, invited(id, invitation)]);
    return { organization, invitation };
  });
}

/** Invites another owner: for an organization whose owners are all gone. @throws `not-found` */
export async function inviteOwner(
  context: Context,
  caller: Caller,
  { id, email }: { readonly id: string; readonly email: string },
): Promise<NewInvitation> {
  return context.db.transaction().execute(async db => {
    await organizationById(db, id);
    const invitation = await inviteFirst({ ...context, db }, caller, id, email);
    await writeDown(db, context, caller.actor, [invited(id, invitation)]);
    return invitation;
  });
}

/** @throws `not-found`, `precondition-failed` */
export async function renameOrganization(
  context: Context,
  caller: Caller,
  { id, name, ifMatch }: { readonly id: string; readonly name: string; readonly ifMatch: number | undefined },
): Promise<OrganizationView> {
  return context.db.transaction().execute(async tx => {
    const row = await tx.selectFrom('organizations').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
    if (!row) throw unknown(id);
    requireRevision(row.revision, ifMatch);
    const change = { name, revision: row.revision + 1 };
    await tx.updateTable('organizations').set(change).where('id', '=', id).execute();
    const renamed = { organization: caller.organization, action: 'organization.rename', subject: id };
    await writeDown(tx, context, caller.actor, [renamed]);
    return viewOf({ ...row, ...change });
  });
}

function inviteFirst(context: Context, caller: Caller, organization: string, email: string): Promise<NewInvitation> {
  return addInvitation(tenantOf(context, organization), caller, { email, role: 'owner' });
}

function unknown(id: string): Error {
  return serverError('not-found', `There is no organization ${id}.`);
}

function viewOf(row: { id: string; name: string; created_at: Date; revision: number }): OrganizationView {
  return { id: row.id, name: row.name, createdAt: row.created_at.toISOString(), revision: row.revision };
}
