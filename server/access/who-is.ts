// What a caller is told about itself.
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import type { Caller, CallerSession } from '../http/route.ts';
import { type Belonging, membershipIn, membershipsByPassword } from './memberships.ts';
import { organizationById } from './organizations.ts';
import type { Role } from './scopes.ts';

/** @param csrf of the session, if it is one */
export async function whoIs({ db, organization }: Tenant, caller: Caller, csrf: string) {
  const { actor, scopes, products = null, session } = caller;
  const { id, name } = await organizationById(db, organization);
  const person = session ? await personOf(db, organization, session, csrf) : null;
  return { actor, organization: { id, name }, scopes: [...scopes], products, person };
}

async function personOf(
  db: Database,
  organization: string,
  { user, provider, expiresAt }: CallerSession,
  csrf: string,
) {
  const row = await db.selectFrom('users').selectAll().where('id', '=', user).executeTakeFirstOrThrow();
  const { count } = await db
    .selectFrom('recovery_codes')
    .select(({ fn }) => fn.countAll<string>().as('count'))
    .where('user_id', '=', user)
    .executeTakeFirstOrThrow();
  const here = (await membershipIn(db, user, organization)) as Belonging;
  // What somebody is elsewhere is no business of this organization's identity provider.
  const organizations = provider === undefined ? await membershipsByPassword(db, user) : [here];
  return {
    id: user,
    email: row.email,
    name: row.name,
    role: here.role as Role,
    secondStep: row.totp_sealed !== null,
    recoveryCodesLeft: Number(count),
    provider: provider ?? null,
    organizations: organizations.map(({ organization: id, name, role }) => ({ id, name, role: role as Role })),
    csrf,
    signedInUntil: expiresAt.toISOString(),
  };
}
