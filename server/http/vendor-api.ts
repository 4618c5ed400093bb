// The vendor's API: every call of it in one list, and the app that serves them.
import type { Express } from 'express';
import { sql } from 'kysely';
import { z } from 'zod';
import type { Access } from '../access/access.ts';
import { authenticator } from '../access/authenticate.ts';
import { accessRoutes } from '../access/routes.ts';
import { auditRoutes } from '../audit/routes.ts';
import type { Context } from '../context.ts';
import { graphRoutes } from '../graph/routes.ts';
import type { JobQueue } from '../jobs/queues.ts';
import { rehearsalRoutes } from '../licenses/rehearsal-routes.ts';
import { licenseRoutes } from '../licenses/routes.ts';
import { metricsRoute } from '../metrics/routes.ts';
import { serviceMetrics } from '../metrics/service-metrics.ts';
import { lifecycleRoutes } from '../releases/lifecycle-routes.ts';
import { type Jobs, releaseRoutes } from '../releases/routes.ts';
import type { BulletinBoard } from '../rollouts/board.ts';
import { rolloutRoutes } from '../rollouts/routes.ts';
import { siteRoutes } from '../sites/routes.ts';
import type { SupportLimits } from '../support/limits.ts';
import { supportRoutes } from '../support/routes.ts';
import { trustRoutes } from '../trust/routes.ts';
import type { Networks } from '../webhooks/networks.ts';
import { webhookRoutes } from '../webhooks/routes.ts';
import { docsRoutes } from './docs-page.ts';
import { healthRoutes, serviceChecks } from './health.ts';
import type { RequestMetrics } from './observe.ts';
import { openApiOf } from './openapi.ts';
import { RateLimiter } from './rate-limit.ts';
import { type Route, route } from './route.ts';
import { appOf } from './router.ts';

/** A pipeline uploads thousands of segments; nobody else comes near. */
const CALLS_PER_SECOND = 1000;
const BURST = 5000;

const INFO = {
  title: 'Rollover',
  version: '1',
  description:
    'Releases, licenses and sites of a vendor. Refusals are problem documents (RFC 9457) with a stable code.',
};

/** What the calls need beside the context. */
export interface ApiParts {
  /** How people sign in. */
  readonly access: Access;
  readonly jobs: Jobs;
  readonly board: Pick<BulletinBoard, 'read' | 'send'>;
  /** Networks that webhooks may reach beside public addresses. */
  readonly networks: Networks;
  /** By name, for health and numbers. */
  readonly queues: Readonly<Record<string, Pick<JobQueue<never>, 'counts'>>> & {
    readonly releases: Pick<JobQueue<never>, 'counts'>;
  };
  readonly requests: RequestMetrics;
  /** How much of support bundles is kept. */
  readonly support: SupportLimits;
  /** Whether the service has been told to stop: load balancers are to send nothing more. */
  readonly isStopping?: () => boolean;
  /** As `parseProxies` returns them. */
  readonly trustedProxies?: readonly string[];
}

/** Every call. */
export function vendorRoutes(
  context: Context,
  { access, board, jobs, networks, queues, requests, support, isStopping }: ApiParts,
): readonly Route[] {
  const routes: readonly Route[] = [
    route({
      method: 'get',
      path: '/healthz',
      tag: 'service',
      summary: 'whether the service and its database answer',
      access: 'anybody',
      answer: z.strictObject({ status: z.literal('ok') }),
      deprecated: { since: '2026-11-24', sunset: '2027-11-24', successor: '/readyz' },
      async handle({ tenant }) {
        await sql`select 1`.execute(tenant.db);
        return { status: 'ok' as const };
      },
    }),
    ...accessRoutes(access),
    ...trustRoutes,
    ...releaseRoutes(jobs),
    ...lifecycleRoutes(jobs.publish, board),
    ...graphRoutes,
    ...licenseRoutes,
    ...rehearsalRoutes,
    ...rolloutRoutes(board),
    ...siteRoutes,
    ...supportRoutes(support),
    ...auditRoutes,
    ...webhookRoutes(networks),
    ...docsRoutes(),
    ...healthRoutes(serviceChecks(context, queues.releases), context, isStopping),
    metricsRoute([...requests.all, ...serviceMetrics(context, queues)]),
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
export function vendorApi(context: Context, parts: ApiParts): Express {
  return appOf(vendorRoutes(context, parts), {
    context,
    metrics: parts.requests,
    trustedProxies: parts.trustedProxies ?? [],
    limiter: new RateLimiter({
      perSecond: CALLS_PER_SECOND,
      burst: BURST,
      now: () => context.now().getTime(),
    }),
    idempotency: context,
    authenticate: authenticator(parts.access, context),
  });
}
