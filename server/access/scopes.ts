// What a caller may do: scopes, and the roles of people that bundle them.

const SUBJECTS = [
  'release',
  'channel',
  'license',
  'site',
  'support',
  'rollout',
  'trust',
  'webhook',
  'member',
  'token',
  'audit',
  'service',
] as const;

type Subject = (typeof SUBJECTS)[number];

/** To see, and to change. */
export type Scope = `${Subject}:read` | `${Subject}:write`;

export const SCOPES: readonly Scope[] = SUBJECTS.flatMap(subject => [`${subject}:read`, `${subject}:write`] as const);

/** Of what a token once was given. A scope that no longer exists allows nothing. */
export function knownScopes(scopes: readonly string[]): readonly Scope[] {
  return SCOPES.filter(scope => scopes.includes(scope));
}

/** Support bundles hold more of a customer than anything else that is here: only who helps them reads them. */
const READ: readonly Scope[] = SCOPES.filter(
  scope => scope.endsWith(':read') && scope !== 'service:read' && scope !== 'support:read',
);

/** What each role of an organization may do. `service` belongs to whoever runs the service, and to no role. */
export const ROLES = {
  owner: SCOPES.filter(scope => !scope.startsWith('service:')),
  'release-manager': [...READ, 'release:write', 'channel:write', 'rollout:write', 'trust:write', 'webhook:write'],
  'license-desk': [...READ, 'license:write', 'site:write'],
  support: [...READ, 'site:write', 'support:read', 'support:write'],
  auditor: READ,
} as const satisfies Readonly<Record<string, readonly Scope[]>>;

export type Role = keyof typeof ROLES;

export const ROLE_NAMES = Object.keys(ROLES) as readonly Role[];
