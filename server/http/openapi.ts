// The OpenAPI 3.1 document of the routes: made of the same schemas that check every call.
import { z } from 'zod';
import type { Deprecation } from './deprecated.ts';
import type { Route, RouteAccess } from './route.ts';

export interface ApiInfo {
  readonly title: string;
  readonly version: string;
  readonly description: string;
}

type Schema = Readonly<Record<string, unknown>>;

/** The document, as JSON. */
export function openApiOf(routes: readonly Route[], info: ApiInfo): Schema {
  const paths: Record<string, Record<string, Schema>> = {};
  for (const route of routes) {
    const path = openApiPath(route.path);
    paths[path] = { ...paths[path], [route.method]: operationOf(route) };
  }
  return {
    openapi: '3.1.0',
    info,
    paths,
    components: { schemas: { Problem: PROBLEM }, securitySchemes: SECURITY_SCHEMES },
  };
}

/** `/v1/licenses/:id` as OpenAPI writes it. */
function openApiPath(path: string): string {
  return path.replaceAll(/:(\w+)/g, '{$1}');
}

function operationOf(route: Route): Schema {
  const { tag, summary, access, status, body, deprecated } = route;
  return {
    operationId: operationId(route),
    tags: [tag],
    summary,
    ...(deprecated ? { deprecated: true, description: deprecationOf(deprecated) } : {}),
    ...(access === 'anybody' ? {} : { security: securityOf(access) }),
    parameters: parametersOf(route),
    ...(body === undefined ? {} : { requestBody: { required: true, content: bodyContent(body) } }),
    responses: { [status]: answerOf(route), default: PROBLEM_RESPONSE },
  };
}

function deprecationOf({ since, sunset, successor }: Deprecation): string {
  return `deprecated since ${since} in favor of ${successor}; it may be gone from ${sunset} on`;
}

/** A token with the scope, or a person whose role has it. */
function securityOf(access: Exclude<RouteAccess, 'anybody'>): readonly Schema[] {
  const scopes = access === 'signed-in' ? [] : [access];
  return [{ token: scopes }, { session: scopes }];
}

function operationId({ method, path }: Route): string {
  const words = path.split('/').filter(part => part !== '' && part !== 'v1');
  return [method, ...words.map(word => word.replace(/^:/, 'by-'))].join('-');
}

function parametersOf({ params, query, method }: Route): readonly Schema[] {
  return [
    ...fieldsOf(params).map(({ name, schema }) => ({ name, in: 'path', required: true, schema })),
    ...fieldsOf(query).map(({ name, schema, required }) => ({ name, in: 'query', required, schema })),
    ...(method === 'post' ? [IDEMPOTENCY_KEY] : []),
    ...(method === 'patch' ? [IF_MATCH] : []),
  ];
}

function fieldsOf(object: z.ZodObject | undefined) {
  if (!object) return [];
  const { properties = {}, required = [] } = jsonSchema(object, 'input') as {
    properties?: Record<string, Schema>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, schema]) => ({ name, schema, required: required.includes(name) }));
}

function bodyContent(body: NonNullable<Route['body']>): Schema {
  if (body === 'bytes') return { 'application/octet-stream': {} };
  return { 'application/json': { schema: jsonSchema(body, 'input') } };
}

function answerOf({ answer }: Route): Schema {
  if (answer === 'empty') return { description: 'done' };
  if (answer === 'stream') return { description: 'the bytes', content: { 'application/octet-stream': {} } };
  return { description: 'done', content: { 'application/json': { schema: jsonSchema(answer, 'input') } } };
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Schema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}

const SECURITY_SCHEMES = {
  token: { type: 'http', scheme: 'bearer' },
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: '__Host-rollover',
    description: 'set by signing in; changes need the header `x-csrf-token` that `GET /v1/session` says',
  },
};

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'sent again with the same key, the call has its effect once',
  schema: { type: 'string', maxLength: 128 },
};

const IF_MATCH = {
  name: 'If-Match',
  in: 'header',
  required: false,
  description: 'the entity tag that was seen: refused when somebody else was faster',
  schema: { type: 'string' },
};

/** RFC 9457, with our code and the id under which the log has the cause. */
const PROBLEM = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'detail', 'requestId'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', description: 'stable; docs/errors.md lists them' },
    detail: { type: 'string' },
    requestId: { type: 'string' },
  },
};

const PROBLEM_RESPONSE = {
  description: 'refused, or failed',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};
