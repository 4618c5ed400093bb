// Lets somebody in whom an identity provider vouches for: a member of the provider's organization, or somebody invited to it, by the
// address that the provider has verified. Nobody else gets an account, and no other organization opens.
import { sha256Hex } from '../../signing/index.ts';
import type { Context } from '../context.ts';
import type { Database } from '../db/database.ts';
import { serverError } from '../errors.ts';
import { type Deed, writeDown } from './deeds.ts';
import { join, newUser } from './invitations.ts';
import type { Identity } from './oidc.ts';
import type { OidcProvider } from './oidc-provider.ts';
import { startSession } from './sessions.ts';

/** Longer than any id_token is taken for. */
const NONCE_KEPT_MS = 3600_000;

/**
 * Signs somebody in; returns the secret of the session.
 *
 * @throws `oidc-refused`
 */
export async function enterByProvider(context: Context, provider: OidcProvider, identity: Identity): Promise<string> {
  const { now } = context;
  return context.db.transaction().execute(async db => {
    await useNonce(db, now(), identity.nonce);
    const user =
      (await linked(db, identity)) ??
      (await personWith(db, identity.email)) ??
      (await newcomer(db, now(), provider, identity));
    if (!user || user.disabled_at) throw stranger();
    const joined = await joinIfInvited(db, now(), provider, user, identity);
    if (!(await isMember(db, user.id, provider.organization))) throw stranger();
    const { issuer, subject } = identity;
    const link = { issuer, subject, user_id: user.id, created_at: now() };
    await db
      .insertInto('identities')
      .values(link)
      .onConflict(conflict => conflict.doNothing())
      .execute();
    const { organization, name } = provider;
    const secret = await startSession(context, db, { user: user.id, organization, provider: name });
    const entered = { organization, action: 'session.sign-in', subject: user.id };
    await writeDown(db, context, `user:${user.email}`, [...joined, entered]);
    return secret;
  });
}

interface Person {
  readonly id: string;
  readonly email: string;
  readonly disabled_at: Date | null;
}

/** Core, section 3.1.3.7, 11: a token that is played again belongs to a nonce that has been used. */
async function useNonce(db: Database, at: Date, nonce: string): Promise<void> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('oidc_nonces')
    .values({ hash: sha256Hex(nonce), used_at: at })
    .onConflict(conflict => conflict.doNothing())
    .executeTakeFirstOrThrow();
  if (numInsertedOrUpdatedRows === 0n) throw serverError('oidc-refused', 'This sign-in has been used already.');
}

async function linked(db: Database, { issuer, subject }: Identity): Promise<Person | undefined> {
  return db
    .selectFrom('identities as i')
    .innerJoin('users as u', 'u.id', 'i.user_id')
    .select(['u.id', 'u.email', 'u.disabled_at'])
    .where('i.issuer', '=', issuer)
    .where('i.subject', '=', subject)
    .executeTakeFirst();
}

async function personWith(db: Database, email: string | undefined): Promise<Person | undefined> {
  if (email === undefined) return undefined;
  return db.selectFrom('users').select(['id', 'email', 'disabled_at']).where('email', '=', email).executeTakeFirst();
}

/** Somebody who is invited and has no account yet gets one without a password. */
async function newcomer(
  db: Database,
  at: Date,
  provider: OidcProvider,
  { email, name }: Identity,
): Promise<Person | undefined> {
  if (email === undefined || !(await invitationOf(db, at, provider, email))) return undefined;
  const id = await newUser(db, at, { email, name: name ?? email });
  return { id, email, disabled_at: null };
}

async function joinIfInvited(
  db: Database,
  at: Date,
  provider: OidcProvider,
  user: Person,
  { email }: Identity,
): Promise<readonly Deed[]> {
  if (email === undefined || (await isMember(db, user.id, provider.organization))) return [];
  const invitation = await invitationOf(db, at, provider, email);
  if (!invitation) return [];
  return [await join(db, at, { user: user.id, invitation: invitation.id, provider: provider.name })];
}

async function invitationOf(db: Database, at: Date, { organization }: OidcProvider, email: string) {
  return db
    .selectFrom('invitations')
    .select('id')
    .where('organization', '=', organization)
    .where('email', '=', email)
    .where('expires_at', '>', at)
    .executeTakeFirst();
}

async function isMember(db: Database, user: string, organization: string): Promise<boolean> {
  const row = await db
    .selectFrom('memberships')
    .select('user_id')
    .where('user_id', '=', user)
    .where('organization', '=', organization)
    .executeTakeFirst();
  return row !== undefined;
}

/** Forgets nonces that no token can belong to any more. Run by a job. */
export async function forgetNonces({ db, now }: Context): Promise<void> {
  await db
    .deleteFrom('oidc_nonces')
    .where('used_at', '<', new Date(now().getTime() - NONCE_KEPT_MS))
    .execute();
}

function stranger(): Error {
  return serverError('oidc-refused', 'Nobody has invited this person, or they may not sign in.');
}
