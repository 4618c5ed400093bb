// Sessions of people: 32 random bytes in a cookie, kept as a hash. A new one at every sign-in, so that nobody can plant one; none
// outlives the membership it is for.
import { randomBytes } from 'node:crypto';
import { sha256Hex } from '../../signing/index.ts';
import type { Context } from '../context.ts';
import type { Database } from '../db/database.ts';

/** A working day, and a lunch break: within what NIST SP 800-63B asks of the second level. */
const ABSOLUTE_MS = 12 * 3600_000;
const IDLE_MS = 3600_000;
/** How often it is written down that somebody is there. */
const USED_EVERY_MS = 60_000;
/** Browsers of one person; the one that was quiet longest is signed out. */
const MOST = 20;
const SECRET = /^[A-Za-z0-9_-]{43}$/;

export interface SessionFor {
  readonly user: string;
  readonly organization: string;
  /** The identity provider that vouched; undefined: password. */
  readonly provider: string | undefined;
}

/** What is known of a session with the membership it is for. */
export interface LiveSession extends SessionFor {
  readonly email: string;
  readonly role: string;
  readonly expiresAt: Date;
}

/** Starts a session; returns the secret for the cookie. */
export async function startSession({ now }: Context, db: Database, session: SessionFor): Promise<string> {
  const secret = randomBytes(32).toString('base64url');
  const at = now();
  const times = { created_at: at, last_used_at: at, expires_at: new Date(at.getTime() + ABSOLUTE_MS) };
  const { user, organization, provider = null } = session;
  await db
    .insertInto('sessions')
    .values({ hash: sha256Hex(secret), user_id: user, organization, provider, ...times })
    .execute();
  await endOldest(db, user);
  return secret;
}

async function endOldest(db: Database, user: string): Promise<void> {
  const kept = db
    .selectFrom('sessions')
    .select('hash')
    .where('user_id', '=', user)
    .orderBy('last_used_at', 'desc')
    .orderBy('created_at', 'desc')
    .limit(MOST);
  await db.deleteFrom('sessions').where('user_id', '=', user).where('hash', 'not in', kept).execute();
}

/** The session of a cookie; undefined when it has ended, or its person may not sign in any more. */
export async function liveSession({ db, now }: Context, secret: string): Promise<LiveSession | undefined> {
  if (!SECRET.test(secret)) return undefined;
  const at = now();
  const row = await db
    .selectFrom('sessions as s')
    .innerJoin('users as u', 'u.id', 's.user_id')
    .innerJoin('memberships as m', join =>
      join.onRef('m.user_id', '=', 's.user_id').onRef('m.organization', '=', 's.organization'),
    )
    .select(['s.hash', 's.user_id', 's.organization', 's.provider', 's.last_used_at', 's.expires_at'])
    .select(['u.email', 'm.role'])
    .where('s.hash', '=', sha256Hex(secret))
    .where('s.expires_at', '>', at)
    .where('s.last_used_at', '>', new Date(at.getTime() - IDLE_MS))
    .where('u.disabled_at', 'is', null)
    .executeTakeFirst();
  if (!row) return undefined;
  if (row.last_used_at.getTime() <= at.getTime() - USED_EVERY_MS) {
    await db.updateTable('sessions').set({ last_used_at: at }).where('hash', '=', row.hash).execute();
  }
  const { user_id: user, organization, provider, email, role, expires_at: expiresAt } = row;
  return { user, organization, provider: provider ?? undefined, email, role, expiresAt };
}

export async function endSession(db: Database, secret: string): Promise<void> {
  await db.deleteFrom('sessions').where('hash', '=', sha256Hex(secret)).execute();
}

/** Signs a person out everywhere. */
export async function endSessions(db: Database, user: string): Promise<void> {
  await db.deleteFrom('sessions').where('user_id', '=', user).execute();
}

/** Forgets sessions that have ended. Run by a job. */
export async function forgetSessions({ db, now }: Context): Promise<void> {
  const at = now();
  await db
    .deleteFrom('sessions')
    .where(row => row.or([row('expires_at', '<=', at), row('last_used_at', '<=', new Date(at.getTime() - IDLE_MS))]))
    .execute();
}
