// Nobody gives more than they have: whoever makes a token, or gives and takes a role, holds every scope of it.
import { serverError } from '../errors.ts';
import { ROLES, type Role, type Scope } from './scopes.ts';

/** @throws `forbidden`, naming a scope that is needed and not held */
export function requireScopes(held: Iterable<Scope>, needed: readonly Scope[], what: string): void {
  const own = new Set(held);
  const missing = needed.find(scope => !own.has(scope));
  if (missing !== undefined)
    throw serverError('forbidden', `${what} needs the scope ${missing}, which you do not have.`);
}

/** What a role may do; nothing for one that no longer exists. */
export function scopesOfRole(role: string): readonly Scope[] {
  return Object.hasOwn(ROLES, role) ? ROLES[role as Role] : [];
}
