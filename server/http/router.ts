// Makes an express app of routes: who calls, within which rate, with what; then the handler; then the answer with its headers.
import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import { z } from 'zod';
import { type Context, type Origin, type Tenant, tenantOf } from '../context.ts';
import { serverError } from '../errors.ts';
import { newApp } from './app.ts';
import { sayDeprecated } from './deprecated.ts';
import { type IdempotencyStore, idempotent } from './idempotency.ts';
import { observe, type RequestMetrics, type Seen, seenOf } from './observe.ts';
import { linkHeader, type Page } from './paging.ts';
import { notFound, problems } from './problem.ts';
import { callerAddress } from './proxies.ts';
import type { RateLimiter } from './rate-limit.ts';
import type { Call, Caller, Route } from './route.ts';

export interface RouterParts {
  readonly context: Context;
  readonly limiter: RateLimiter;
  readonly idempotency: IdempotencyStore;
  /** Counts requests, when somebody reads the numbers. */
  readonly metrics?: RequestMetrics;
  /** Proxies whose `X-Forwarded-For` is believed, as `parseProxies` returns them. */
  readonly trustedProxies?: readonly string[];
  /** Who calls. @throws `unauthorized` */
  authenticate(request: Request): Promise<Caller>;
}

/** No organization has this id. */
const NOBODY = 'nobody';

/** The app that serves these routes and nothing else. */
export function appOf(routes: readonly Route[], parts: RouterParts): Express {
  const app = newApp();
  app.set('trust proxy', [...(parts.trustedProxies ?? [])]);
  app.use(observe(parts.context.log, parts.metrics));
  for (const route of routes) app[route.method](route.path, handlerOf(route, parts));
  app.use(notFound);
  app.use(problems(parts.context.log));
  return app;
}

function handlerOf(route: Route, parts: RouterParts): RequestHandler {
  const readBody = bodyReader(route);
  return async (request, response) => {
    const seen = seenOf(response);
    seen.route = route;
    if (route.deprecated) sayDeprecated(response, route.deprecated);
    const caller = await callerOf(route, parts, request, seen);
    if (caller) parts.limiter.take(`${caller.organization} ${caller.actor}`, response);
    await readBody(request, response);
    const call = callOf(route, parts, caller, request, response);
    const key = route.method === 'post' ? request.headers['idempotency-key'] : undefined;
    if (caller && typeof key === 'string') {
      const answer = await idempotent(parts.idempotency, caller, key, request, id => answerOf(route, marked(call, id)));
      return send(response, answer.status, answer.body);
    }
    const { status, body } = await answerOf(route, call);
    if (route.answer !== 'stream') send(response, status, body);
  };
}

async function callerOf(
  { access }: Route,
  parts: RouterParts,
  request: Request,
  seen: Seen,
): Promise<Caller | undefined> {
  if (access === 'anybody') return undefined;
  const caller = await parts.authenticate(request);
  seen.caller = caller;
  if (access === 'signed-in' || caller.scopes.has(access)) return caller;
  throw serverError('forbidden', `This call needs the scope ${access}.`);
}

function callOf(
  route: Route,
  { context }: RouterParts,
  caller: Caller | undefined,
  request: Request,
  response: Response,
): Call<never, never, never> {
  const read = (schema: z.ZodType | undefined, value: unknown) => (schema ? schema.parse(value) : {});
  return {
    tenant: tenantFor(context, caller, originOf(request, response)),
    caller,
    params: read(route.params, request.params),
    query: read(route.query?.strict(), request.query),
    body: route.body === 'bytes' ? z.instanceof(Buffer).parse(request.body) : read(route.body, request.body ?? {}),
    ifMatch: ifMatchOf(request),
    request,
    response,
  } as unknown as Call<never, never, never>;
}

/** Who calls without a token sees no organization: not even its name. */
function tenantFor(context: Context, caller: Caller | undefined, origin: Origin): Tenant {
  return { ...tenantOf(context, caller?.organization ?? NOBODY), products: caller?.products, origin };
}

function originOf(request: Request, response: Response): Origin {
  return { request: String(response.getHeader('x-request-id')), address: callerAddress(request) };
}

/** What it does is marked under the id of its `Idempotency-Key`. */
function marked(call: Call<never, never, never>, idempotency: string): Call<never, never, never> {
  const { origin } = call.tenant;
  return origin ? { ...call, tenant: { ...call.tenant, origin: { ...origin, idempotency } } } : call;
}

async function answerOf(route: Route, call: Call<never, never, never>) {
  return { status: route.status, body: await route.handle(call) };
}

/** JSON for this caller alone, with what its shape says: a page has a link to the next one, a revision is an entity tag. */
function send(response: Response, status: number, body: unknown): void {
  response.setHeader('cache-control', 'no-store');
  if (body === undefined) return void response.status(status).end();
  const { next, revision } = body as Partial<Page<unknown>> & { revision?: number };
  if (typeof next === 'string') response.append('link', linkHeader(response.req, next));
  if (typeof revision === 'number') response.setHeader('etag', `"${revision}"`);
  response.status(status).json(body);
}

/** Bodies are read after the caller is known: nobody else's fill our memory. */
function bodyReader({ body, bodyBytes }: Route): (request: Request, response: Response) => Promise<void> {
  if (body === undefined) return async () => undefined;
  const reader =
    body === 'bytes' ? express.raw({ type: () => true, limit: bodyBytes }) : express.json({ limit: bodyBytes });
  return (request, response) =>
    new Promise((resolve, reject) => reader(request, response, error => (error ? reject(error) : resolve())));
}

/** @throws `request-invalid` for an entity tag that is none of ours */
function ifMatchOf(request: Request): number | undefined {
  const header = request.headers['if-match'];
  if (header === undefined || header === '*') return undefined;
  const revision = /^"(\d{1,15})"$/.exec(header)?.[1];
  if (revision === undefined) throw serverError('request-invalid', 'If-Match is no entity tag of this service.');
  return Number(revision);
}
