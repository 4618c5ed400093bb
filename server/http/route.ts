// One call of the vendor API as data: what it takes, what it answers, who may make it, and what it does. The router and the
// OpenAPI document are made of the same list.
import type { Request, Response } from 'express';
import type { z } from 'zod';
import type { Scope } from '../access/scopes.ts';
import type { Actor } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import type { Deprecation } from './deprecated.ts';

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** Who calls: an organization's member or token, and what it may do there. */
export interface Caller {
  readonly actor: Actor;
  readonly organization: string;
  readonly scopes: ReadonlySet<Scope>;
  /** Products that it is limited to; undefined for all of them. */
  readonly products: readonly string[] | undefined;
  /** Of a person who is signed in; tokens have none. */
  readonly session?: CallerSession;
}

export interface CallerSession {
  /** The person's id. */
  readonly user: string;
  /** The identity provider that vouched for them; undefined: password. */
  readonly provider: string | undefined;
  readonly expiresAt: Date;
}

/** `anybody` needs no token; `signed-in` is for every token and every person, whatever they may do. */
export type RouteAccess = Scope | 'anybody' | 'signed-in';

/** What a handler is given. Everything from outside has been checked against the route's schemas. */
export interface Call<P, Q, B> {
  /** The service as the caller's organization sees it. */
  readonly tenant: Tenant;
  readonly caller: Caller;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** The revision that the caller has seen (`If-Match`); undefined when it does not care. */
  readonly ifMatch: number | undefined;
  /** For answers that are no JSON. */
  readonly request: Request;
  readonly response: Response;
}

/** `empty`: 204 without a body. `stream`: the handler sends bytes itself. */
export type Answer = z.ZodType | 'empty' | 'stream';

type AnswerOf<A extends Answer> = A extends z.ZodType ? Frozen<z.input<A>> : unknown;

/** Handlers may answer with what nobody changes. */
type Frozen<T> = T extends (infer E)[]
  ? readonly Frozen<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;

export interface Route {
  readonly method: Method;
  /** As express writes it: `/v1/licenses/:id`. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly access: RouteAccess;
  readonly params: z.ZodObject | undefined;
  readonly query: z.ZodObject | undefined;
  /** `bytes`: an octet stream, as a Buffer. */
  readonly body: z.ZodType | 'bytes' | undefined;
  /** The largest body it takes. */
  readonly bodyBytes: number;
  readonly answer: Answer;
  /** Of success; 200 or 204 unless it says otherwise. */
  readonly status: number;
  /** Where another call took its place. */
  readonly deprecated?: Deprecation;
  handle(call: Call<never, never, never>): Promise<unknown>;
}

type Read<S> = S extends z.ZodType ? z.output<S> : S extends 'bytes' ? Buffer : Record<string, never>;

interface Spec<P, Q, B, A extends Answer> {
  readonly method: Method;
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly access: RouteAccess;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly bodyBytes?: number;
  readonly answer: A;
  readonly status?: number;
  readonly deprecated?: Deprecation;
  handle(call: Call<Read<P>, Read<Q>, Read<B>>): Promise<AnswerOf<A>>;
}

const BODY_BYTES = 256 * 1024;

/** Describes a call; the handler's types follow from the schemas. */
export function route<
  A extends Answer,
  P extends z.ZodObject | undefined = undefined,
  Q extends z.ZodObject | undefined = undefined,
  B extends z.ZodType | 'bytes' | undefined = undefined,
>(spec: Spec<P, Q, B, A>): Route {
  return {
    ...spec,
    params: spec.params,
    query: spec.query,
    body: spec.body,
    bodyBytes: spec.bodyBytes ?? BODY_BYTES,
    status: spec.status ?? (spec.answer === 'empty' ? 204 : 200),
    handle: spec.handle as Route['handle'],
  };
}
