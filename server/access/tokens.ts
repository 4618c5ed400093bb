// Tokens of pipelines: 32 random bytes, kept as a hash, with scopes, perhaps products, perhaps an end.
import { randomBytes, randomUUID } from 'node:crypto';
import { sha256Hex } from '../../signing/index.ts';
import type { Context, Tenant } from '../context.ts';
import { serverError } from '../errors.ts';
import { type Page, page } from '../http/paging.ts';
import type { Caller } from '../http/route.ts';
import { writeDown } from './deeds.ts';
import { requireScopes } from './grants.ts';
import { beyond, type PageWanted } from './listing.ts';
import { lockedMaker, makerName } from './makers.ts';
import { knownScopes, type Scope } from './scopes.ts';

const TOKEN = /^rlv_[A-Za-z0-9_-]{43}$/;
const USED_EVERY_MS = 60_000;
const UNIQUE_VIOLATION = '23505';

/** What concerns one product at a time. Everything else concerns all of an organization, and no token with products has it. */
export const OF_PRODUCTS = /^(release|channel|license|site|support|rollout):|^trust:read$/;

export interface TokenOrder {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Undefined: all of them. */
  readonly products: readonly string[] | undefined;
  readonly expiresAt: Date | undefined;
}

export interface TokenView {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly products: readonly string[] | null;
  /** Null: the service, or somebody who is gone. */
  readonly createdBy: string | null;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly lastUsedAt: string | null;
}

export type NewToken = TokenView & { readonly token: string };

export function newToken(): string {
  return `rlv_${randomBytes(32).toString('base64url')}`;
}

/** Who calls with this token, looked up by its hash, so that timing tells nothing about it; undefined for one that is good for nothing. */
export async function callerOfToken({ db, now }: Context, token: string): Promise<Caller | undefined> {
  if (!TOKEN.test(token)) return undefined;
  const at = now();
  const row = await db
    .selectFrom('tokens')
    .select(['id', 'name', 'organization', 'scopes', 'products', 'last_used_at'])
    .where('hash', '=', sha256Hex(token))
    .where('revoked_at', 'is', null)
    .where(token => token.or([token('expires_at', 'is', null), token('expires_at', '>', at)]))
    .executeTakeFirst();
  if (!row) return undefined;
  if (row.last_used_at === null || row.last_used_at.getTime() <= at.getTime() - USED_EVERY_MS) {
    await db.updateTable('tokens').set({ last_used_at: at }).where('id', '=', row.id).execute();
  }
  return {
    actor: `token:${row.name}`,
    organization: row.organization,
    scopes: new Set(knownScopes(row.scopes)),
    products: row.products ?? undefined,
  };
}

/**
 * Makes a token of the caller's organization. It is shown this once.
 *
 * @throws `forbidden` for more than the caller may do itself, `request-invalid` for scopes that know no products, `token-exists`
 */
export async function createToken(tenant: Tenant, caller: Caller, order: TokenOrder): Promise<NewToken> {
  requireProducts(caller, order);
  const { db, organization, now } = tenant;
  const token = newToken();
  const id = `tok-${randomUUID()}`;
  const { name, scopes, products = null, expiresAt = null } = order;
  const row = { id, organization, name, scopes: [...scopes], products: products && [...products] };
  return db.transaction().execute(async tx => {
    const maker = await lockedMaker(tx, caller);
    requireScopes(maker.scopes, scopes, 'This token');
    const madeBy = { created_by: maker.id, created_at: now(), expires_at: expiresAt };
    await tx
      .insertInto('tokens')
      .values({ ...row, ...madeBy, hash: sha256Hex(token) })
      .execute()
      .catch(refuseTakenName(name));
    const view = await tokenById({ db: tx, organization }, id);
    await writeDown(tx, tenant, caller.actor, [{ organization, action: 'token.create', subject: id }]);
    return { token, ...view };
  });
}

function refuseTakenName(name: string) {
  return (cause: { code?: string }): never => {
    if (cause.code !== UNIQUE_VIOLATION) throw cause;
    throw serverError('token-exists', `There is a token ${name} already.`, { cause });
  };
}

/** @throws `forbidden`, `request-invalid` */
function requireProducts({ products: own }: Caller, { products, scopes }: TokenOrder): void {
  if (own && !products?.every(product => own.includes(product))) {
    throw serverError('forbidden', `This token needs other products than ${own.join(', ')}, which you are limited to.`);
  }
  const general = products && scopes.find(scope => !OF_PRODUCTS.test(scope));
  if (general === undefined) return;
  throw serverError('request-invalid', `A token for single products cannot have ${general}: it concerns all of them.`);
}

/** Those that are not revoked, newest first. */
export async function listTokens(tenant: Tenant, { limit, cursor }: PageWanted): Promise<Page<TokenView>> {
  const rows = await views(tenant)
    .where(beyond('t.created_at', 't.id', '<', cursor))
    .orderBy('t.created_at', 'desc')
    .orderBy('t.id', 'desc')
    .limit(limit + 1)
    .execute();
  return page(rows, limit, viewOf, row => ({ at: row.created_at.toISOString(), id: row.id }));
}

/** @throws `not-found` */
export async function tokenById(tenant: Pick<Tenant, 'db' | 'organization'>, id: string): Promise<TokenView> {
  const row = await views(tenant).where('t.id', '=', id).executeTakeFirst();
  if (!row) throw serverError('not-found', `There is no token ${id}.`);
  return viewOf(row);
}

/** From now on the token is good for nothing. @throws `not-found` */
export async function revokeToken(tenant: Tenant, caller: Caller, id: string): Promise<void> {
  const { db, organization, now } = tenant;
  await db.transaction().execute(async tx => {
    const { numUpdatedRows } = await tx
      .updateTable('tokens')
      .set({ revoked_at: now() })
      .where('id', '=', id)
      .where('organization', '=', organization)
      .where('revoked_at', 'is', null)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows === 0n) throw serverError('not-found', `There is no token ${id}.`);
    await writeDown(tx, tenant, caller.actor, [{ organization, action: 'token.revoke', subject: id }]);
  });
}

function views({ db, organization }: Pick<Tenant, 'db' | 'organization'>) {
  return db
    .selectFrom('tokens as t')
    .select(['t.id', 't.name', 't.scopes', 't.products', 't.created_at', 't.expires_at', 't.last_used_at'])
    .select(makerName('t.created_by').as('maker'))
    .where('t.organization', '=', organization)
    .where('t.revoked_at', 'is', null);
}

type ViewRow = Awaited<ReturnType<ReturnType<typeof views>['executeTakeFirstOrThrow']>>;

function viewOf(row: ViewRow): TokenView {
  const { id, name, products, maker: createdBy } = row;
  return {
    id,
    name,
    scopes: knownScopes(row.scopes),
    products,
    createdBy,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
  };
}
