// All calls about who may do what.
import type { Route } from '../http/route.ts';
import type { Access } from './access.ts';
import { accountRoutes } from './account-routes.ts';
import { memberRoutes } from './member-routes.ts';
import { oidcRoutes } from './oidc-routes.ts';
import { organizationRoutes, peopleRoutes } from './organization-routes.ts';
import { sessionRoutes } from './session-routes.ts';
import { tokenRoutes } from './token-routes.ts';

export function accessRoutes(access: Access): readonly Route[] {
  return [
    ...sessionRoutes(access),
    ...oidcRoutes(access),
    ...accountRoutes(access),
    ...memberRoutes(access),
    ...tokenRoutes(),
    ...organizationRoutes(),
    ...peopleRoutes(),
  ];
}
