// The vendor's API: every call of it in one list, and the app that serves them.
import type { Express } from 'express';
import { sql } from 'kysely';
import { z } from 'zod';
import type { Context } from '../context.ts';
import { licenseRoutes } from '../licenses/routes.ts';
import { type Jobs, releaseRoutes } from '../releases/routes.ts';
import { siteRoutes } from '../sites/routes.ts';
import { trustRoutes } from '../trust/routes.ts';
import { openApiOf } from './openapi.ts';
import { RateLimiter } from './rate-limit.ts';
import { type Route, route } from './route.ts';
import { appOf } from './router.ts';
import { authenticate } from './tokens.ts';

/** A pipeline uploads thousands of segments; nobody else comes near. */
const CALLS_PER_SECOND = 1000;
const BURST = 5000;

const INFO = {
  title: 'Rollover',
  version: '1',
  description:
    'Releases, licenses and sites of a vendor. Refusals are problem documents (RFC 9457) with a stable code.',
};

/** Every call. */
export function vendorRoutes(jobs: Jobs): readonly Route[] {
  const routes: readonly Route[] = [
    route({
      method: 'get',
      path: '/healthz',
      tag: 'service',
      summary: 'whether the service and its database answer',
      access: 'anybody',
      answer: z.strictObject({ status: z.literal('ok') }),
      async handle({ tenant }) {
        await sql`select 1`.execute(tenant.db);
        return { status: 'ok' as const };
      },
    }),
    ...trustRoutes,
    ...releaseRoutes(jobs),
    ...licenseRoutes,
    ...siteRoutes,
  ];
  const document = route({
    method: 'get',
    path: '/v1/openapi.json',
    tag: 'service',
    summary: 'this description, OpenAPI 3.1',
    access: 'anybody',
    answer: z.record(z.string(), z.unknown()),
    handle: async () => openApi,
  });
  const all = [...routes, document];
  const openApi = openApiOf(all, INFO);
  return all;
}

/** Builds the app. */
export function vendorApi(context: Context, jobs: Jobs): Express {
  return appOf(vendorRoutes(jobs), {
    context,
    limiter: new RateLimiter({
      perSecond: CALLS_PER_SECOND,
      burst: BURST,
      now: () => context.now().getTime(),
    }),
    idempotency: context,
    authenticate: request => authenticate(context, request),
  });
}
