// A POST that is sent again with the same `Idempotency-Key` has its effect once, and the same answer. Kept for a day.
import { createHash } from 'node:crypto';
import type { Request } from 'express';
import type { Database } from '../db/database.ts';
import { serverError } from '../errors.ts';
import type { Vault } from '../vault.ts';
import type { Caller } from './route.ts';

export interface IdempotencyStore {
  readonly db: Database;
  /** Answers are sealed: some hold a secret that is shown once and kept nowhere else. */
  readonly vault: Vault;
  now(): Date;
}

export interface Answered {
  readonly status: number;
  readonly body: unknown;
}

const KEEP_MS = 24 * 3600_000;
/** A call that has not ended by then has died with its process; it may be made again. */
const RUNNING_MS = 5 * 60_000;
/** What had its effect is answered at once. */
const ANSWER_MS = 10_000;
const FORGET_EVERY_MS = 1000;
const FORGET_TRIES = 300;
const KEY = /^[\x21-\x7e]{1,128}$/;

/**
 * Answers as the first call with this key was answered; runs `work` for the first. What failed may be tried again.
 *
 * @param work is given the id that marks its effect
 * @throws `request-invalid`, `idempotency-mismatch` for another request under the same key, `idempotency-running` while the first
 * is under way, `idempotency-lost` for one that was done by a process that died before it answered, and what `work` throws
 */
export async function idempotent(
  store: IdempotencyStore,
  caller: Caller,
  key: string,
  request: Request,
  work: (id: string) => Promise<Answered>,
): Promise<Answered> {
  if (!KEY.test(key)) throw serverError('request-invalid', 'Idempotency-Key has to be 1 to 128 printable characters.');
  const call = { id: sha256(caller.organization, caller.actor, key), fingerprint: fingerprintOf(request) };
  const known = await begin(store, call);
  if (known) return known;
  try {
    const answer = await work(call.id);
    const body = answer.body === undefined ? null : sealed(store, call.id, answer.body);
    await store.db.updateTable('idempotency').set({ status: answer.status, body }).where('id', '=', call.id).execute();
    return answer;
  } catch (error) {
    await forget(store, call.id).catch(() => forgetLater(store, call.id));
    throw error;
  }
}

/** What failed may be tried again, unless it had its effect all the same. */
async function forget({ db }: IdempotencyStore, id: string): Promise<void> {
  await db.deleteFrom('idempotency').where('id', '=', id).where('effect_at', 'is', null).execute();
}

/** The database is away: the call is forgotten when it is back, or counts as dead after a while. */
function forgetLater(store: IdempotencyStore, id: string, tries = FORGET_TRIES): void {
  if (tries === 0) return;
  const again = () => forget(store, id).catch(() => forgetLater(store, id, tries - 1));
  setTimeout(again, FORGET_EVERY_MS).unref();
}

/** Writes down that the call has begun; returns the answer of one that has ended. */
async function begin(
  { db, now, vault }: IdempotencyStore,
  { id, fingerprint }: { readonly id: string; readonly fingerprint: string },
): Promise<Answered | undefined> {
  const at = now();
  const died = new Date(at.getTime() - RUNNING_MS);
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('idempotency')
    .values({ id, fingerprint, created_at: at, effect_at: null, status: null, body: null })
    .onConflict(conflict =>
      conflict
        .column('id')
        .doUpdateSet({ created_at: at })
        .where('idempotency.status', 'is', null)
        .where('idempotency.effect_at', 'is', null)
        .where('idempotency.fingerprint', '=', fingerprint)
        .where('idempotency.created_at', '<', died),
    )
    .executeTakeFirstOrThrow();
  if (numInsertedOrUpdatedRows !== 0n) return undefined;
  const known = await db.selectFrom('idempotency').selectAll().where('id', '=', id).executeTakeFirst();
  if (known && known.fingerprint !== fingerprint) {
    throw serverError('idempotency-mismatch', 'Another request was made with this Idempotency-Key.');
  }
  if (known?.status === null && known.effect_at !== null && known.effect_at < new Date(at.getTime() - ANSWER_MS)) {
    throw serverError(
      'idempotency-lost',
      'The first request with this Idempotency-Key was done, and its answer was lost.',
    );
  }
  if (!known || known.status === null) {
    throw serverError('idempotency-running', 'The first request with this Idempotency-Key is still under way.');
  }
  return { status: known.status, body: known.body === null ? undefined : opened(vault, id, known.body) };
}

function sealed({ vault }: IdempotencyStore, id: string, body: unknown): string {
  return vault.seal(purposeOf(id), Buffer.from(JSON.stringify(body))).toString('base64');
}

function opened(vault: Vault, id: string, body: string): unknown {
  return JSON.parse(vault.open(purposeOf(id), Buffer.from(body, 'base64')).toString('utf8'));
}

function purposeOf(id: string): string {
  return `answer:${id}`;
}

/** Forgets the answers of yesterday. Run by a job. */
export async function forgetAnswers({ db, now }: Omit<IdempotencyStore, 'vault'>): Promise<void> {
  const expired = new Date(now().getTime() - KEEP_MS);
  await db.deleteFrom('idempotency').where('created_at', '<', expired).execute();
}

function fingerprintOf({ method, originalUrl, body }: Request): string {
  return sha256(method, originalUrl, Buffer.isBuffer(body) ? body.toString('base64') : JSON.stringify(body ?? null));
}

function sha256(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
