// Signing in with a password, and with a second step where the person has enrolled one. Whoever fails learns nothing: an unknown
// account, a wrong password, an account that is disabled or belongs nowhere have one answer, and cost the same work.
import { z } from 'zod';
import { base64url, fromBase64url } from '../../signing/index.ts';
import type { Context } from '../context.ts';
import { serverError } from '../errors.ts';
import type { Access } from './access.ts';
import { writeDown } from './deeds.ts';
import { membershipByPassword } from './memberships.ts';
import { takeCode } from './second-step.ts';
import { startSession } from './sessions.ts';
import { beginAttempt, endAttempt, type Subject, type Visitor } from './throttle.ts';

/** Between password and code. */
const TICKET_MS = 5 * 60_000;
const TICKET_PURPOSE = 'sign-in-ticket';

/** What the first step leaves for the second. It is sealed, and worth nothing without a code. */
const ticketSchema = z.strictObject({
  user: z.string(),
  organization: z.string(),
  /** Anything that changes how this person signs in ends it. */
  revision: z.int(),
  until: z.int(),
});

export interface Credentials {
  /** In lower case. */
  readonly email: string;
  readonly password: string;
  /** Undefined: the one they joined first. */
  readonly organization: string | undefined;
}

export type SignedIn =
  | { readonly state: 'signed-in'; readonly secret: string }
  | { readonly state: 'second-step'; readonly ticket: string };

/**
 * The first step.
 *
 * @throws `sign-in-refused`, `too-many-requests`
 */
export async function signIn(
  access: Access,
  context: Context,
  visitor: Visitor,
  { email, password, organization }: Credentials,
): Promise<SignedIn> {
  const subjects: readonly Subject[] = [
    ['address', visitor.address],
    ['account', email],
  ];
  await beginAttempt(context, visitor, subjects);
  const user = await context.db.selectFrom('users').selectAll().where('email', '=', email).executeTakeFirst();
  const verdict = await access.passwords.verify(user?.password_hash, password);
  const mayEnter = user?.password_hash && user.disabled_at === null && verdict !== 'wrong';
  const membership = mayEnter ? await membershipByPassword(context.db, user.id, organization) : undefined;
  if (!user || !membership) throw refused();
  await endAttempt(context, subjects);
  if (verdict === 'outdated') {
    const fresh = await access.passwords.hash(password);
    await context.db.updateTable('users').set({ password_hash: fresh }).where('id', '=', user.id).execute();
  }
  const entered = { user: user.id, organization: membership.organization };
  if (user.totp_sealed === null) return enter(context, { ...entered, email });
  return { state: 'second-step', ticket: ticketFor(context, { ...entered, revision: user.revision }) };
}

/**
 * The second step: the code of an authenticator, or a recovery code.
 *
 * @throws `sign-in-refused`, `too-many-requests`
 */
export async function secondStep(
  context: Context,
  visitor: Visitor,
  offered: { readonly ticket: string; readonly code: string },
): Promise<SignedIn> {
  const ticket = readTicket(context, offered.ticket);
  const subject: Subject = ['second-step', ticket.user];
  await beginAttempt(context, visitor, [subject]);
  const user = await context.db
    .selectFrom('users')
    .select(['id', 'email', 'totp_sealed'])
    .where('id', '=', ticket.user)
    .where('revision', '=', ticket.revision)
    .where('disabled_at', 'is', null)
    .executeTakeFirst();
  const membership = await membershipByPassword(context.db, ticket.user, ticket.organization);
  if (!user?.totp_sealed || !membership) throw refused();
  if (!(await takeCode(context, context.db, { ...user, totp_sealed: user.totp_sealed }, offered.code))) {
    const deed = { organization: membership.organization, action: 'session.code-refused', subject: user.id };
    await writeDown(context.db, context, `user:${user.email}`, [deed]);
    throw refused();
  }
  await endAttempt(context, [subject]);
  return enter(context, { user: user.id, organization: membership.organization, email: user.email });
}

async function enter(
  context: Context,
  { email, ...session }: { user: string; organization: string; email: string },
): Promise<SignedIn> {
  const secret = await context.db.transaction().execute(async tx => {
    const { user: subject, organization } = session;
    const started = await startSession(context, tx, { ...session, provider: undefined });
    await writeDown(tx, context, `user:${email}`, [{ organization, action: 'session.sign-in', subject }]);
    return started;
  });
  return { state: 'signed-in', secret };
}

function refused(): Error {
  return serverError('sign-in-refused', 'With these, nobody can sign in.');
}

function ticketFor({ vault, now }: Context, of: Omit<z.infer<typeof ticketSchema>, 'until'>): string {
  const ticket = { ...of, until: now().getTime() + TICKET_MS };
  return base64url(vault.seal(TICKET_PURPOSE, Buffer.from(JSON.stringify(ticket))));
}

/** @throws `sign-in-refused` */
function readTicket({ vault, now }: Context, text: string): z.infer<typeof ticketSchema> {
  let ticket: z.infer<typeof ticketSchema>;
  try {
    ticket = ticketSchema.parse(JSON.parse(vault.open(TICKET_PURPOSE, fromBase64url(text)).toString('utf8')));
  } catch {
    throw refused();
  }
  if (ticket.until <= now().getTime()) throw refused();
  return ticket;
}
