// What a person changes about how they sign in. Each change asks for the password again: a session may be somebody else's hand on an
// open laptop. Sessions that an identity provider vouches for are not asked, as they may not: it speaks for one organization, and
// passwords open others.
import type { Context } from '../context.ts';
import type { Database } from '../db/database.ts';
import { serverError } from '../errors.ts';
import type { Caller, CallerSession } from '../http/route.ts';
import type { Access } from './access.ts';
import { writeDown } from './deeds.ts';
import { requireGoodPassword } from './password-rules.ts';
import { forgetRecoveryCodes, newRecoveryCodes, takeCode, totpPurpose } from './second-step.ts';
import { endSessions, startSession } from './sessions.ts';
import { beginAttempt, endAttempt, type Subject, type Visitor } from './throttle.ts';
import { base32, matchingStep, newTotpSecret, totpUri } from './totp.ts';

/** What shows that it is the person: the code only where an authenticator is enrolled. */
export interface Proof {
  readonly password: string;
  readonly code: string | undefined;
}

/** @throws `session-missing` */
export function requirePasswordSession({ session }: Caller): CallerSession {
  if (session && session.provider === undefined) return session;
  throw serverError('session-missing', 'This call needs a person who has signed in with a password.');
}

/**
 * Sets a new password. All sessions end; returns the secret of a new one.
 *
 * @throws `proof-refused`, `password-weak`, `too-many-requests`
 */
export async function changePassword(
  access: Access,
  context: Context,
  visitor: Visitor,
  caller: Caller,
  proof: Proof,
  next: string,
): Promise<string> {
  const user = await proven(access, context, visitor, caller, proof);
  requireGoodPassword(next, user.email);
  const hash = await access.passwords.hash(next);
  return changed(context, caller, user.id, 'user.change-password', db =>
    db.updateTable('users').set({ password_hash: hash }).where('id', '=', user.id).execute(),
  );
}

/**
 * Begins to enrol an authenticator; the one before stays until the new one has shown a code.
 *
 * @returns its secret, in base32, and as the address that a QR code holds
 * @throws `proof-refused`, `too-many-requests`
 */
export async function beginEnrolment(
  access: Access,
  context: Context,
  visitor: Visitor,
  caller: Caller,
  proof: Proof,
): Promise<{ readonly secret: string; readonly uri: string }> {
  const user = await proven(access, context, visitor, caller, proof);
  const secret = newTotpSecret();
  const sealed = context.vault.seal(totpPurpose(user.id), secret);
  await context.db.updateTable('users').set({ totp_next_sealed: sealed }).where('id', '=', user.id).execute();
  return { secret: base32(secret), uri: totpUri(secret, user.email) };
}

/**
 * Ends the enrolment with the authenticator's first code. All sessions end.
 *
 * @returns recovery codes, which are shown this once, and the secret of a new session
 * @throws `second-step-state` when none has begun, `proof-refused` for a wrong code, `too-many-requests`
 */
export async function endEnrolment(
  context: Context,
  visitor: Visitor,
  caller: Caller,
  code: string,
): Promise<{ readonly recoveryCodes: readonly string[]; readonly secret: string }> {
  const user = await person(context.db, requirePasswordSession(caller).user);
  const subject: Subject = ['proof', user.id];
  await beginAttempt(context, visitor, [subject]);
  if (!user.totp_next_sealed) throw notEnrolling();
  const key = context.vault.open(totpPurpose(user.id), user.totp_next_sealed);
  const step = matchingStep(key, code, context.now().getTime());
  if (step === undefined) throw notProven();
  await endAttempt(context, [subject]);
  let recoveryCodes: readonly string[] = [];
  const secret = await changed(context, caller, user.id, 'user.enrol-authenticator', async db => {
    const { numUpdatedRows } = await db
      .updateTable('users')
      .set({ totp_sealed: user.totp_next_sealed, totp_next_sealed: null, totp_step: step })
      .where('id', '=', user.id)
      .where('totp_next_sealed', '=', user.totp_next_sealed)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows === 0n) throw notEnrolling();
    recoveryCodes = await newRecoveryCodes(db, user.id);
  });
  return { recoveryCodes, secret };
}

/**
 * Signs in without a second step from now on. All sessions end; returns the secret of a new one.
 *
 * @throws `proof-refused`, `too-many-requests`
 */
export async function removeAuthenticator(
  access: Access,
  context: Context,
  visitor: Visitor,
  caller: Caller,
  proof: Proof,
): Promise<string> {
  const user = await proven(access, context, visitor, caller, proof);
  return changed(context, caller, user.id, 'user.remove-authenticator', async db => {
    const none = { totp_sealed: null, totp_next_sealed: null };
    await db.updateTable('users').set(none).where('id', '=', user.id).execute();
    await forgetRecoveryCodes(db, user.id);
  });
}

/** The person who calls, once they have shown that it is them. */
async function proven(
  access: Access,
  context: Context,
  visitor: Visitor,
  caller: Caller,
  { password, code = '' }: Proof,
) {
  const user = await person(context.db, requirePasswordSession(caller).user);
  const subject: Subject = ['proof', user.id];
  await beginAttempt(context, visitor, [subject]);
  if ((await access.passwords.verify(user.password_hash, password)) === 'wrong') throw notProven();
  if (user.totp_sealed) {
    const { id, totp_sealed } = user;
    if (!(await takeCode(context, context.db, { id, totp_sealed }, code))) throw notProven();
  }
  await endAttempt(context, [subject]);
  return user;
}

/** Makes a change of how somebody signs in: whoever else is signed in as them is not any more. */
async function changed(
  context: Context,
  caller: Caller,
  user: string,
  action: string,
  change: (db: Database) => Promise<unknown>,
): Promise<string> {
  return context.db.transaction().execute(async db => {
    await change(db);
    await db
      .updateTable('users')
      .set(({ eb }) => ({ revision: eb('revision', '+', 1) }))
      .where('id', '=', user)
      .execute();
    await endSessions(db, user);
    const { organization, actor } = caller;
    const secret = await startSession(context, db, { user, organization, provider: undefined });
    await writeDown(db, context, actor, [{ organization, action, subject: user }]);
    return secret;
  });
}

async function person(db: Database, id: string) {
  return db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
}

function notEnrolling(): Error {
  return serverError('second-step-state', 'No authenticator is being enrolled.');
}

function notProven(): Error {
  return serverError('proof-refused', 'The password or the code is wrong.');
}
