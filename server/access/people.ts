// What whoever runs the service does for people of all organizations: shut somebody out, and let somebody in again who has lost
// password or authenticator. Owners cannot: a person may belong to other organizations as well.
import { sha256Hex } from '../../signing/index.ts';
import type { Context } from '../context.ts';
import type { Database } from '../db/database.ts';
import { serverError } from '../errors.ts';
import { type Page, page } from '../http/paging.ts';
import { requireRevision } from '../http/revision.ts';
import type { Caller } from '../http/route.ts';
import type { Access } from './access.ts';
import { writeDown } from './deeds.ts';
import { newOnceToken } from './invitations.ts';
import { beyond, type PageWanted } from './listing.ts';
import { takeBack } from './makers.ts';
import { requireGoodPassword } from './password-rules.ts';
import { forgetRecoveryCodes } from './second-step.ts';
import { endSessions } from './sessions.ts';
import { beginAttempt, endAttempt, type Subject, type Visitor } from './throttle.ts';

/** Its log has what concerns nobody’s organization. */
const FIRST_ORGANIZATION = 'default';
/** Told by voice, used at once. */
const RECOVERY_MS = 24 * 3600_000;

export interface PersonView {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly disabled: boolean;
  readonly createdAt: string;
  readonly revision: number;
}

/** In the order of their making. @param email only the one with this address */
export async function listPeople(
  { db }: Context,
  { limit, cursor }: PageWanted,
  email: string | undefined,
): Promise<Page<PersonView>> {
  const rows = await db
    .selectFrom('users')
    .selectAll()
    .$if(email !== undefined, query => query.where('email', '=', email as string))
    .where(beyond('created_at', 'id', '>', cursor))
    .orderBy('created_at')
    .orderBy('id')
    .limit(limit + 1)
    .execute();
  return page(rows, limit, viewOf, row => ({ at: row.created_at.toISOString(), id: row.id }));
}

/**
 * Shuts a person out, of all organizations: sessions end, what they have made is taken back. Or lets them in again.
 *
 * @throws `not-found`, `precondition-failed`
 */
export async function setDisabled(
  context: Context,
  caller: Caller,
  { id, disabled, ifMatch }: { readonly id: string; readonly disabled: boolean; readonly ifMatch: number | undefined },
): Promise<PersonView> {
  const { db, now } = context;
  return db.transaction().execute(async tx => {
    const row = await locked(tx, id);
    requireRevision(row.revision, ifMatch);
    const change = { disabled_at: disabled ? now() : null, revision: row.revision + 1 };
    await tx.updateTable('users').set(change).where('id', '=', id).execute();
    if (disabled) await endSessions(tx, id);
    const taken = disabled ? await takeBack(tx, now(), { user: id, scopes: [] }) : [];
    const deed = { organization: caller.organization, action: disabled ? 'user.disable' : 'user.enable', subject: id };
    await writeDown(tx, context, caller.actor, [...taken, deed]);
    return viewOf({ ...row, ...change });
  });
}

/** A one-time token with which this person may choose a new password. Nothing changes before it is used. @throws `not-found` */
export async function offerRecovery(
  context: Context,
  caller: Caller,
  id: string,
): Promise<{ readonly token: string; readonly expiresAt: string }> {
  const { db, now } = context;
  const token = newOnceToken();
  const until = new Date(now().getTime() + RECOVERY_MS);
  await db.transaction().execute(async tx => {
    await locked(tx, id);
    const offer = { recovery_hash: sha256Hex(token), recovery_until: until };
    await tx.updateTable('users').set(offer).where('id', '=', id).execute();
    const deed = { organization: caller.organization, action: 'user.offer-recovery', subject: id };
    await writeDown(tx, context, caller.actor, [deed]);
  });
  return { token, expiresAt: until.toISOString() };
}

/**
 * Sets a new password with the one-time token. The second step is off, all sessions end.
 *
 * @throws `invitation-invalid`, `password-weak`, `too-many-requests`
 */
export async function recover(
  access: Access,
  context: Context,
  visitor: Visitor,
  { token, password }: { readonly token: string; readonly password: string },
): Promise<void> {
  const subject: Subject = ['address', visitor.address];
  await beginAttempt(context, visitor, [subject]);
  const { db } = context;
  const offered = db
    .selectFrom('users')
    .selectAll()
    .where('recovery_hash', '=', sha256Hex(token))
    .where('recovery_until', '>', context.now());
  const user = await offered.executeTakeFirst();
  if (!user) throw notOffered();
  requireGoodPassword(password, user.email);
  const hash = await access.passwords.hash(password);
  await db.transaction().execute(async tx => {
    const { numUpdatedRows } = await tx
      .updateTable('users')
      .set(({ eb }) => ({
        password_hash: hash,
        totp_sealed: null,
        totp_next_sealed: null,
        revision: eb('revision', '+', 1),
      }))
      .set({ recovery_hash: null, recovery_until: null })
      .where('id', '=', user.id)
      .where('recovery_hash', '=', sha256Hex(token))
      .executeTakeFirstOrThrow();
    if (numUpdatedRows === 0n) throw notOffered();
    await forgetRecoveryCodes(tx, user.id);
    await endSessions(tx, user.id);
    const deed = { organization: FIRST_ORGANIZATION, action: 'user.recover', subject: user.id };
    await writeDown(tx, context, `user:${user.email}`, [deed]);
  });
  await endAttempt(context, [subject]);
}

function notOffered(): Error {
  return serverError('invitation-invalid', 'This token is not valid any more.');
}

/** @throws `not-found` */
async function locked(db: Database, id: string) {
  const row = await db.selectFrom('users').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
  if (!row) throw serverError('not-found', `There is no person ${id}.`);
  return row;
}

function viewOf(row: {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly disabled_at: Date | null;
  readonly created_at: Date;
  readonly revision: number;
}): PersonView {
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    disabled: row.disabled_at !== null,
    createdAt: row.created_at.toISOString(),
    revision: row.revision,
  };
}
