// The calls about rollouts, and the bulletins that say of them to anybody who asks.
import { z } from 'zod';
import { rolloutPlanSchema, rolloutSchema } from '../../bundles/index.ts';
import { serverError } from '../errors.ts';
import { idParams, nameSchema } from '../http/names.ts';
import { pageOf, pageQuery } from '../http/paging.ts';
import { type Route, route } from '../http/route.ts';
import type { BulletinBoard } from './board.ts';
import { changeRollout, createRollout, listRollouts, removeRollout, rolloutById } from './rollouts.ts';
import { ROLLOUT_ACTIONS } from './states.ts';

const { id, product, channel, version, state, seed, stages, windows, budget } = rolloutSchema.shape;

const viewSchema = z.strictObject({
  id,
  product,
  channel,
  version,
  state,
  seed,
  stages,
  windows,
  budget,
  sites: z
    .strictObject({ succeeded: z.int(), failed: z.int(), pending: z.int() })
    .describe('what sites have made of it, by their reports'),
  haltedWhy: z.string().nullable(),
  createdAt: z.string(),
  revision: z.int(),
});

const REASON_CHARACTERS = 500;

/** @param board undefined where only the shape of the calls is asked for */
export function rolloutRoutes(board: Pick<BulletinBoard, 'read' | 'send'>): readonly Route[] {
  return [
    route({
      method: 'get',
      path: '/v1/rollouts',
      tag: 'rollouts',
      summary: 'rollouts, newest first',
      access: 'rollout:read',
      query: z.object({ ...pageQuery, product: nameSchema.optional(), state: state.optional() }),
      answer: pageOf(viewSchema),
      handle: ({ tenant, query }) => listRollouts(tenant, query),
    }),
    route({
      method: 'get',
      path: '/v1/rollouts/:id',
      tag: 'rollouts',
      summary: 'a rollout, and what sites have made of it',
      access: 'rollout:read',
      params: idParams,
      answer: viewSchema,
      handle: ({ tenant, params }) => rolloutById(tenant, params.id),
    }),
    route({
      method: 'post',
      path: '/v1/rollouts',
      tag: 'rollouts',
      summary: 'start a rollout of a version in a channel, best before the version is published there',
      access: 'rollout:write',
      body: rolloutPlanSchema,
      answer: viewSchema,
      status: 201,
      async handle({ tenant, body, caller }) {
        const rollout = await createRollout(tenant, body, caller.actor);
        await board.read();
        return rollout;
      },
    }),
    ...ROLLOUT_ACTIONS.map(action =>
      route({
        method: 'post',
        path: `/v1/rollouts/:id/${action}`,
        tag: 'rollouts',
        summary: `${action} a rollout`,
        access: 'rollout:write',
        params: idParams,
        body: z.strictObject({ reason: z.string().min(1).max(REASON_CHARACTERS).optional() }),
        answer: viewSchema,
        async handle({ tenant, params, body, caller, ifMatch }) {
          const change = { action, reason: body.reason };
          const rollout = await changeRollout(tenant, params.id, change, caller.actor, ifMatch);
          await board.read();
          return rollout;
        },
      }),
    ),
    route({
      method: 'delete',
      path: '/v1/rollouts/:id',
      tag: 'rollouts',
      summary: 'take a rollout away; its version is offered to all from then on',
      access: 'rollout:write',
      params: idParams,
      answer: 'empty',
      async handle({ tenant, params, caller }) {
        await removeRollout(tenant, params.id, caller.actor);
        await board.read();
      },
    }),
    route({
      method: 'get',
      path: '/v1/bulletins/:organization/:product/:channel',
      tag: 'rollouts',
      summary: 'what is said of a channel, signed, to everybody alike; for any cache to keep',
      access: 'anybody',
      params: z.object({ organization: z.string().max(128), product: nameSchema, channel: nameSchema }),
      answer: 'stream',
      async handle({ params, request, response }) {
        if (board.send(params, request, response)) return;
        throw serverError('not-found', `There is no bulletin of ${params.product}/${params.channel}.`);
      },
    }),
  ];
}
