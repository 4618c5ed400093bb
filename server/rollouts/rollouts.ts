// Rollouts: bringing a version to sites in stages. Made before the version is published, or after; paused, resumed, halted,
// completed. What each change means for sites goes out with the next bulletin, in the same transaction.
import { randomBytes, randomUUID } from 'node:crypto';
import type { Selectable } from 'kysely';
import { type Rollout, type RolloutPlan, resumed, rolloutSchema } from '../../bundles/index.ts';
import { type Actor, audit } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import { ownedBy, requireProduct } from '../db/owned.ts';
import type { RolloutTable } from '../db/schema.ts';
import { serverError } from '../errors.ts';
import { isBefore, type Page, type PageRequest, page, readCursor } from '../http/paging.ts';
import { requireRevision } from '../http/revision.ts';
import { emit } from '../webhooks/emit.ts';
import { announce } from './bulletins.ts';
import { countOutcomes, type Outcomes } from './outcomes.ts';
import { ACTIONS, type Change, type RolloutAction } from './states.ts';

export interface RolloutView extends Omit<Rollout, 'format'> {
  readonly sites: Outcomes;
  readonly haltedWhy: string | null;
  readonly createdAt: string;
  readonly revision: number;
}

const UNIQUE_VIOLATION = '23505';

/**
 * Starts a rollout, running.
 *
 * @throws `rollout-exists`, `request-invalid`, `forbidden` for a product that the caller is not limited to
 */
export async function createRollout(tenant: Tenant, plan: RolloutPlan, actor: Actor): Promise<RolloutView> {
  const { organization } = tenant;
  requireProduct(tenant, plan.product);
  const { product, channel, version } = plan;
  const id = `rol-${randomUUID()}`;
  const seed = randomBytes(16).toString('hex');
  const document = rolloutSchema.parse({ format: 1, id, state: 'running', seed, ...plan });
  const row = { id, organization, product, channel, version, state: document.state, revision: 1 };
  const since = { paused_at: null, halted_why: null, created_at: tenant.now() };
  await tenant.db.transaction().execute(async db => {
    await db
      .insertInto('rollouts')
      .values({ ...row, ...since, document: JSON.stringify(document) })
      .execute()
      .catch((cause: { code?: string }) => {
        if (cause.code !== UNIQUE_VIOLATION) throw cause;
        throw serverError('rollout-exists', `There is a rollout of ${version} in ${channel} already.`, { cause });
      });
    await announce({ ...tenant, db }, product, channel);
    await emit(db, tenant, { type: 'rollout.created', data: { rollout: id, product, channel, version } });
    await audit(db, tenant, actor, 'rollout.create', id, { product, channel, version });
  });
  return rolloutById(tenant, id);
}

/**
 * Pauses, resumes, halts or completes. Repeating what is done already changes nothing.
 *
 * @param seen the revision that the caller has seen
 * @throws `not-found`, `rollout-state`, `precondition-failed`
 */
export async function changeRollout(
  tenant: Tenant,
  id: string,
  { action, reason }: { readonly action: RolloutAction; readonly reason?: string | undefined },
  actor: Actor,
  seen: number | undefined,
): Promise<RolloutView> {
  await tenant.db.transaction().execute(async db => {
    const within = { ...tenant, db };
    const row = await lockedRollout(within, id);
    requireRevision(row.revision, seen);
    const document = rolloutSchema.parse(row.document);
    const { from, to }: Change = ACTIONS[action];
    if (document.state === to) return;
    if (!from.includes(document.state)) {
      throw serverError('rollout-state', `A rollout that is ${document.state} cannot be ${to}.`);
    }
    const resumes = action === 'resume' && row.paused_at;
    const changed = resumes ? resumed(document, row.paused_at as Date, tenant.now()) : { ...document, state: to };
    await store(within, row, changed, reason);
    await emit(db, tenant, { type: 'rollout.changed', data: { rollout: id, version: row.version, state: to } });
    await audit(db, tenant, actor, `rollout.${action}`, id, reason === undefined ? {} : { reason });
  });
  return rolloutById(tenant, id);
}

/** Takes a rollout away: its version is offered to all from then on. @throws `not-found` */
export async function removeRollout(tenant: Tenant, id: string, actor: Actor): Promise<void> {
  await tenant.db.transaction().execute(async db => {
    const { product, channel, version } = await lockedRollout({ ...tenant, db }, id);
    await db.deleteFrom('rollouts').where('id', '=', id).execute();
    await announce({ ...tenant, db }, product, channel);
    await emit(db, tenant, { type: 'rollout.changed', data: { rollout: id, version, state: 'removed' } });
    await audit(db, tenant, actor, 'rollout.remove', id);
  });
}

/** Pauses all that run, for a service that may have forgotten why one was stopped; the tenant's `db` is a transaction. */
export async function pauseRunning(tenant: Tenant): Promise<number> {
  const { db, organization } = tenant;
  const own = db.selectFrom('rollouts').selectAll().where('organization', '=', organization);
  const running = await own.where('state', '=', 'running').orderBy('id').execute();
  for (const row of running) {
    await store(tenant, row, { ...rolloutSchema.parse(row.document), state: ACTIONS.pause.to }, undefined);
    const data = { rollout: row.id, version: row.version, state: ACTIONS.pause.to };
    await emit(db, tenant, { type: 'rollout.changed', data });
  }
  return running.length;
}

/** Writes a changed rollout down, and says it to sites. */
export async function store(
  tenant: Tenant,
  { id, product, channel, revision }: Selectable<RolloutTable>,
  document: Rollout,
  why: string | undefined,
): Promise<void> {
  const { state } = document;
  const change = {
    state,
    document: JSON.stringify(document),
    paused_at: state === 'paused' || state === 'halted' ? tenant.now() : null,
    halted_why: state === 'halted' ? (why ?? null) : null,
    revision: revision + 1,
  };
  await tenant.db.updateTable('rollouts').set(change).where('id', '=', id).execute();
  await announce(tenant, product, channel);
}

export interface RolloutFilter extends PageRequest {
  readonly product?: string | undefined;
  readonly state?: string | undefined;
}

/** Newest first. */
export async function listRollouts(tenant: Tenant, filter: RolloutFilter): Promise<Page<RolloutView>> {
  const after = readCursor(filter.cursor);
  let query = tenant.db
    .selectFrom('rollouts')
    .selectAll()
    .where(ownedBy(tenant, 'rollouts'))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(filter.limit + 1);
  if (after) query = query.where(isBefore('created_at', after));
  if (filter.product !== undefined) query = query.where('product', '=', filter.product);
  if (filter.state !== undefined) query = query.where('state', '=', filter.state);
  const rows = await query.execute();
  const sites = await countOutcomes(
    tenant.db,
    rows.map(({ id }) => id),
  );
  return page(
    rows,
    filter.limit,
    row => view(row, sites(row.id)),
    row => ({ at: row.created_at.toISOString(), id: row.id }),
  );
}

/** @throws `not-found` */
export async function rolloutById(tenant: Tenant, id: string): Promise<RolloutView> {
  const own = tenant.db.selectFrom('rollouts').selectAll().where(ownedBy(tenant, 'rollouts'));
  const row = await own.where('id', '=', id).executeTakeFirst();
  if (!row) throw noRollout(id);
  return view(row, (await countOutcomes(tenant.db, [id]))(id));
}

async function lockedRollout(tenant: Tenant, id: string): Promise<Selectable<RolloutTable>> {
  const own = tenant.db.selectFrom('rollouts').selectAll().where(ownedBy(tenant, 'rollouts'));
  const row = await own.where('id', '=', id).forNoKeyUpdate().executeTakeFirst();
  if (!row) throw noRollout(id);
  return row;
}

function noRollout(id: string): Error {
  return serverError('not-found', `There is no rollout ${id}.`);
}

function view(row: Selectable<RolloutTable>, sites: Outcomes): RolloutView {
  const { format: _, ...document } = rolloutSchema.parse(row.document);
  const { halted_why: haltedWhy, revision } = row;
  return { ...document, sites, haltedWhy, createdAt: row.created_at.toISOString(), revision };
}
