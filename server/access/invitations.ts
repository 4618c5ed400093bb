// Invitations: how people come to belong to an organization. Whoever holds the one-time token may take it up; the inviter hands it
// over. What exists elsewhere under the same address is neither told nor touched: it needs its own password.
import { randomBytes, randomUUID } from 'node:crypto';
import { sha256Hex } from '../../signing/index.ts';
import type { Context, Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import { serverError } from '../errors.ts';
import { type Page, page } from '../http/paging.ts';
import type { Caller } from '../http/route.ts';
import type { Access } from './access.ts';
import { type Deed, writeDown } from './deeds.ts';
import { requireScopes, scopesOfRole } from './grants.ts';
import { beyond, type PageWanted } from './listing.ts';
import { lockedMaker, makerName } from './makers.ts';
import { requireGoodPassword } from './password-rules.ts';
import type { Role } from './scopes.ts';
import { beginAttempt, endAttempt, type Subject, type Visitor } from './throttle.ts';

/** A week: with a holiday in between, still in time; forgotten, no door that stays open. */
const VALID_MS = 7 * 24 * 3600_000;

export interface InvitationView {
  readonly id: string;
  readonly email: string;
  readonly role: Role;
  /** Null: somebody who is gone. */
  readonly createdBy: string | null;
  readonly createdAt: string;
  readonly expiresAt: string;
}

export type NewInvitation = InvitationView & { readonly token: string };

/** A token that is used once: to take up an invitation, or an account whose password is lost. */
export function newOnceToken(): string {
  return `rlo_${randomBytes(32).toString('base64url')}`;
}

/**
 * Invites somebody; an earlier invitation of the same person is void.
 *
 * @throws `forbidden` for a role that may do more than the caller, `member-exists`
 */
export async function invite(
  tenant: Tenant,
  caller: Caller,
  { email, role }: { readonly email: string; readonly role: Role },
): Promise<NewInvitation> {
  return tenant.db.transaction().execute(async db => {
    requireScopes((await lockedMaker(db, caller)).scopes, scopesOfRole(role), `The role ${role}`);
    const member = await db
      .selectFrom('memberships as m')
      .innerJoin('users as u', 'u.id', 'm.user_id')
      .select('u.id')
      .where('m.organization', '=', tenant.organization)
      .where('u.email', '=', email)
      .executeTakeFirst();
    if (member) throw serverError('member-exists', `${email} is a member already.`);
    const invitation = await addInvitation({ ...tenant, db }, caller, { email, role });
    await writeDown(db, tenant, caller.actor, [invited(tenant.organization, invitation)]);
    return invitation;
  });
}

/** Adds an invitation of `tenant.organization`, whoever may; the caller writes it down. */
export async function addInvitation(
  { db, organization, now }: Tenant,
  caller: Caller,
  who: { readonly email: string; readonly role: Role },
): Promise<NewInvitation> {
  const at = now();
  const token = newOnceToken();
  const row = {
    id: `inv-${randomUUID()}`,
    ...who,
    hash: sha256Hex(token),
    created_by: (await lockedMaker(db, caller)).id,
    created_at: at,
    expires_at: new Date(at.getTime() + VALID_MS),
  };
  await db
    .insertInto('invitations')
    .values({ ...row, organization })
    .onConflict(conflict => conflict.columns(['organization', 'email']).doUpdateSet(row))
    .execute();
  return { token, ...viewOf({ ...row, maker: caller.actor }) };
}

/** Newest first, also those that have expired: a job takes them away. */
export async function listInvitations(
  { db, organization }: Tenant,
  { limit, cursor }: PageWanted,
): Promise<Page<InvitationView>> {
  const rows = await db
    .selectFrom('invitations')
    .selectAll()
    .select(makerName('created_by').as('maker'))
    .where('organization', '=', organization)
    .where(beyond('created_at', 'id', '<', cursor))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute();
  return page(rows, limit, viewOf, row => ({ at: row.created_at.toISOString(), id: row.id }));
}

/** @throws `not-found` */
export async function withdrawInvitation(tenant: Tenant, caller: Caller, id: string): Promise<void> {
  const { organization } = tenant;
  await tenant.db.transaction().execute(async tx => {
    const { numDeletedRows } = await tx
      .deleteFrom('invitations')
      .where('id', '=', id)
      .where('organization', '=', organization)
      .executeTakeFirstOrThrow();
    if (numDeletedRows === 0n) throw serverError('not-found', `There is no invitation ${id}.`);
    await writeDown(tx, tenant, caller.actor, [{ organization, action: 'member.withdraw-invitation', subject: id }]);
  });
}

/**
 * Takes an invitation up. Somebody new chooses a password; who has an account types the password of it.
 *
 * @throws `invitation-invalid` for a token that is unknown, used or expired, or another password than the account has;
 * `password-weak`, `too-many-requests`
 */
export async function acceptInvitation(
  access: Access,
  context: Context,
  visitor: Visitor,
  offered: { readonly token: string; readonly name: string; readonly password: string },
): Promise<void> {
  const { db, now } = context;
  const address: Subject = ['address', visitor.address];
  await beginAttempt(context, visitor, [address]);
  const pending = await pendingInvitation(context, offered.token);
  if (!pending) throw invalid();
  const { email } = pending;
  const subject: Subject = ['account', email];
  await beginAttempt(context, visitor, [subject]);
  const account = await db.selectFrom('users').selectAll().where('email', '=', email).executeTakeFirst();
  if (!account) requireGoodPassword(offered.password, email);
  else if (!(await isOwner(access, account, offered.password))) throw invalid();
  const hash = account ? undefined : await access.passwords.hash(offered.password);
  await db.transaction().execute(async tx => {
    const user = account?.id ?? (await newUser(tx, now(), { email, name: offered.name, hash }));
    const joined = await join(tx, now(), { user, invitation: pending.id, provider: undefined });
    await writeDown(tx, context, `user:${email}`, [joined]);
  });
  await endAttempt(context, [address, subject]);
}

async function isOwner(
  { passwords }: Access,
  account: { readonly password_hash: string | null; readonly disabled_at: Date | null },
  password: string,
): Promise<boolean> {
  const verdict = await passwords.verify(account.password_hash, password);
  return account.password_hash !== null && account.disabled_at === null && verdict !== 'wrong';
}

async function pendingInvitation({ db, now }: Context, token: string) {
  return db
    .selectFrom('invitations')
    .select(['id', 'email'])
    .where('hash', '=', sha256Hex(token))
    .where('expires_at', '>', now())
    .executeTakeFirst();
}

/** Of two that take up one address at the same time, the second fails. @throws `invitation-invalid` */
export async function newUser(
  db: Database,
  at: Date,
  { email, name, hash }: { readonly email: string; readonly name: string; readonly hash?: string | undefined },
): Promise<string> {
  const id = `usr-${randomUUID()}`;
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('users')
    .values({
      id,
      email,
      name,
      password_hash: hash ?? null,
      totp_sealed: null,
      totp_next_sealed: null,
      recovery_hash: null,
      recovery_until: null,
      disabled_at: null,
      created_at: at,
    })
    .onConflict(conflict => conflict.column('email').doNothing())
    .executeTakeFirstOrThrow();
  if (numInsertedOrUpdatedRows === 0n) throw invalid();
  return id;
}

/** Makes a member of an invited person; the invitation is used up; the caller writes it down. @throws `invitation-invalid` */
export async function join(
  db: Database,
  at: Date,
  { user, invitation, provider }: { user: string; invitation: string; provider: string | undefined },
): Promise<Deed> {
  const used = await db
    .deleteFrom('invitations')
    .where('id', '=', invitation)
    .where('expires_at', '>', at)
    .returning(['organization', 'role'])
    .executeTakeFirst();
  if (!used) throw invalid();
  const { organization, role } = used;
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('memberships')
    .values({ organization, user_id: user, role, provider: provider ?? null, created_at: at })
    .onConflict(conflict => conflict.columns(['organization', 'user_id']).doNothing())
    .executeTakeFirstOrThrow();
  if (numInsertedOrUpdatedRows === 0n) throw invalid();
  return { organization, action: 'member.join', subject: user };
}

/** Forgets what has expired. Run by a job. */
export async function forgetInvitations({ db, now }: Context): Promise<void> {
  await db.deleteFrom('invitations').where('expires_at', '<=', now()).execute();
}

export function invited(organization: string, { id }: InvitationView): Deed {
  return { organization, action: 'member.invite', subject: id };
}

function invalid(): Error {
  return serverError('invitation-invalid', 'This invitation is not valid, or not with this password.');
}

function viewOf(row: {
  readonly id: string;
  readonly email: string;
  readonly role: string;
  readonly maker: string | null;
  readonly created_at: Date;
  readonly expires_at: Date;
}): InvitationView {
  return {
    id: row.id,
    email: row.email,
    role: row.role as Role,
    createdBy: row.maker,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
  };
}
