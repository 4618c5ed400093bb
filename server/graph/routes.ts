// The calls about the upgrade graph of a product.
import { z } from 'zod';
import { upgradeGraphSchema } from '../../bundles/index.ts';
import { filesSchema } from '../files.ts';
import { nameSchema } from '../http/names.ts';
import { route } from '../http/route.ts';
import { graphOfProduct, publishGraph } from './graph.ts';

const LONGEST_NAME = 512;
/** A graph of 2,000 versions, and targets with thousands of delegations, in base64. */
const GRAPH_BYTES = 96 * 1024 * 1024;

const graphSchema = z.strictObject({
  product: z.string(),
  version: z.int().describe('of the role that signs it'),
  graph: upgradeGraphSchema,
  unsignedYanks: z.array(z.string()).describe('versions that were yanked since it was signed'),
});

export const graphRoutes = [
  route({
    method: 'get',
    path: '/v1/products/:product/graph',
    tag: 'upgrades',
    summary: 'the published upgrade graph of a product',
    access: 'release:read',
    params: z.object({ product: nameSchema }),
    answer: graphSchema,
    handle: ({ tenant, params }) => graphOfProduct(tenant, params.product),
  }),
  route({
    method: 'post',
    path: '/v1/products/:product/graph',
    tag: 'upgrades',
    summary: 'publish an upgrade graph that the targets keys have signed',
    access: 'release:write',
    params: z.object({ product: nameSchema }),
    body: z.strictObject({ metadata: filesSchema(LONGEST_NAME), targets: filesSchema(LONGEST_NAME) }),
    bodyBytes: GRAPH_BYTES,
    answer: graphSchema,
    status: 201,
    handle: ({ tenant, params, body, caller }) => publishGraph(tenant, params.product, body, caller.actor),
  }),
];
