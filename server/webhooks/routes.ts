// Webhooks over HTTP. Whoever may write them hears of everything in the organization: no token for some products only.
import { z } from 'zod';
import { requireEveryProduct } from '../access/products.ts';
import { pageOf, pageQuery } from '../http/paging.ts';
import { type Route, route } from '../http/route.ts';
import { listDeliveries, pingWebhook, replayDeliveries } from './deliveries.ts';
import { changeWebhook, createWebhook, deleteWebhook, listWebhooks, rotateSecret, webhookById } from './endpoints.ts';
import { EVENT_TYPES, EVERY_TYPE } from './events.ts';
import { type Networks, requireUrl } from './networks.ts';

const events = z
  .array(z.enum([...EVENT_TYPES, EVERY_TYPE]))
  .min(1)
  .max(EVENT_TYPES.length + 1)
  .describe('types to hear of; * for all, those of later versions included');
const url = z.string().max(2048).describe('https, on the public internet');
const state = z.enum(['pending', 'succeeded', 'failed', 'dead']);
const id = z.string().max(64);
const instant = z.iso.datetime();

const webhookSchema = z.strictObject({
  id,
  url,
  events: z.array(z.string()),
  enabled: z.boolean(),
  disabledWhy: z.string().nullable(),
  failures: z.int().describe('failed attempts since the last success'),
  failingSince: instant.nullable(),
  createdAt: instant,
  revision: z.int(),
});

const deliverySchema = z.strictObject({
  id,
  event: z.string().describe('what receivers get as webhook-id'),
  type: z.string(),
  payload: z.string().describe('JSON, as it is sent'),
  state,
  attempts: z.int(),
  nextAttemptAt: instant.nullable(),
  lastAttemptAt: instant.nullable(),
  lastStatus: z.int().nullable(),
  lastError: z.string().nullable(),
  createdAt: instant,
});

const secret = z.string().describe('shown here and never again');

const TAG = { tag: 'webhooks' };
const ONE = z.object({ id });

/** @param networks what webhooks may reach beside public addresses */
export function webhookRoutes(networks: Networks): readonly Route[] {
  return [
    route({
      ...TAG,
      method: 'get',
      path: '/v1/webhooks',
      summary: 'all webhooks, oldest first',
      access: 'webhook:read',
      query: z.object(pageQuery),
      answer: pageOf(webhookSchema),
      async handle({ tenant, caller, query }) {
        requireEveryProduct(caller);
        return listWebhooks(tenant, query);
      },
    }),
    route({
      ...TAG,
      method: 'post',
      path: '/v1/webhooks',
      summary: 'a new webhook; its secret is in the answer',
      access: 'webhook:write',
      body: z.strictObject({ url, events }),
      answer: webhookSchema.extend({ secret }),
      status: 201,
      async handle({ tenant, caller, body }) {
        requireEveryProduct(caller);
        return createWebhook(tenant, { ...body, url: requireUrl(body.url, networks) }, caller.actor);
      },
    }),
    route({
      ...TAG,
      method: 'get',
      path: '/v1/webhooks/:id',
      summary: 'one webhook',
      access: 'webhook:read',
      params: ONE,
      answer: webhookSchema,
      async handle({ tenant, caller, params }) {
        requireEveryProduct(caller);
        return webhookById(tenant, params.id);
      },
    }),
    route({
      ...TAG,
      method: 'patch',
      path: '/v1/webhooks/:id',
      summary: 'change, disable or enable a webhook',
      access: 'webhook:write',
      params: ONE,
      body: z.strictObject({ url: url.optional(), events: events.optional(), enabled: z.boolean().optional() }),
      answer: webhookSchema,
      async handle({ tenant, caller, params, body, ifMatch }) {
        requireEveryProduct(caller);
        const checked = body.url === undefined ? {} : { url: requireUrl(body.url, networks) };
        return changeWebhook(tenant, params.id, { ...body, ...checked }, ifMatch, caller.actor);
      },
    }),
    route({
      ...TAG,
      method: 'delete',
      path: '/v1/webhooks/:id',
      summary: 'delete a webhook, with what was to be delivered',
      access: 'webhook:write',
      params: ONE,
      answer: 'empty',
      async handle({ tenant, caller, params }) {
        requireEveryProduct(caller);
        await deleteWebhook(tenant, params.id, caller.actor);
      },
    }),
    route({
      ...TAG,
      method: 'post',
      path: '/v1/webhooks/:id/rotate-secret',
      summary: 'a new secret; for a day the old one is signed with as well',
      access: 'webhook:write',
      params: ONE,
      answer: z.strictObject({ secret, previousUntil: instant }),
      async handle({ tenant, caller, params }) {
        requireEveryProduct(caller);
        return rotateSecret(tenant, params.id, caller.actor);
      },
    }),
    route({
      ...TAG,
      method: 'post',
      path: '/v1/webhooks/:id/ping',
      summary: 'deliver a test event',
      access: 'webhook:write',
      params: ONE,
      answer: deliverySchema,
      status: 202,
      async handle({ tenant, caller, params }) {
        requireEveryProduct(caller);
        return pingWebhook(tenant, params.id);
      },
    }),
    route({
      ...TAG,
      method: 'get',
      path: '/v1/webhooks/:id/deliveries',
      summary: 'what was delivered and what was not, newest first',
      access: 'webhook:read',
      params: ONE,
      query: z.object({ ...pageQuery, state: state.optional() }),
      answer: pageOf(deliverySchema),
      async handle({ tenant, caller, params, query }) {
        requireEveryProduct(caller);
        return listDeliveries(tenant, params.id, query);
      },
    }),
    route({
      ...TAG,
      method: 'post',
      path: '/v1/webhooks/:id/deliveries/:delivery/replay',
      summary: 'deliver one again, under the same id',
      access: 'webhook:write',
      params: z.object({ id, delivery: id }),
      answer: 'empty',
      async handle({ tenant, caller, params: { id: webhook, delivery } }) {
        requireEveryProduct(caller);
        await replayDeliveries(tenant, webhook, { delivery }, caller.actor);
      },
    }),
    route({
      ...TAG,
      method: 'post',
      path: '/v1/webhooks/:id/replay',
      summary: 'deliver all again that were written down since a time',
      access: 'webhook:write',
      params: ONE,
      body: z.strictObject({
        since: instant.transform(text => new Date(text)),
        states: z.array(state).min(1).default(['dead']),
      }),
      answer: z.strictObject({ replayed: z.int() }),
      async handle({ tenant, caller, params, body }) {
        requireEveryProduct(caller);
        return { replayed: await replayDeliveries(tenant, params.id, body, caller.actor) };
      },
    }),
  ];
}
