// Where people belong, as far as signing in asks.
import type { Database } from '../db/database.ts';

export interface Belonging {
  readonly organization: string;
  readonly name: string;
  readonly role: string;
}

/** Of a person who has typed a password: not those that came by an identity provider. First joined first. */
export async function membershipsByPassword(db: Database, user: string): Promise<readonly Belonging[]> {
  return belongings(db, user).where('m.provider', 'is', null).orderBy('m.created_at').orderBy('o.id').execute();
}

/** @param organization undefined: the one joined first */
export async function membershipByPassword(
  db: Database,
  user: string,
  organization: string | undefined,
): Promise<Belonging | undefined> {
  const all = await membershipsByPassword(db, user);
  return organization === undefined ? all[0] : all.find(belonging => belonging.organization === organization);
}

export async function membershipIn(db: Database, user: string, organization: string): Promise<Belonging | undefined> {
  return belongings(db, user).where('m.organization', '=', organization).executeTakeFirst();
}

function belongings(db: Database, user: string) {
  return db
    .selectFrom('memberships as m')
    .innerJoin('organizations as o', 'o.id', 'm.organization')
    .select(['m.organization', 'o.name', 'm.role'])
    .where('m.user_id', '=', user);
}
