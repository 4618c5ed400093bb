// How often somebody may guess: each attempt is written down before it is looked at, in the database that all processes share, and
// after the first few the next one has to wait, longer each time.
import { sql } from 'kysely';
import { sha256Hex } from '../../signing/index.ts';
import type { Context } from '../context.ts';
import { serverError } from '../errors.ts';

/** Who tries: where from, and how they are told to wait. */
export interface Visitor {
  /** As `addressOf` says it. */
  readonly address: string;
  /** Sets `Retry-After`. */
  wait(seconds: number): void;
}

/** `account` is what was typed, whether it exists or not; `second-step` and `proof` are of a person who is known already. */
type Kind = 'address' | 'account' | 'second-step' | 'proof';

/** Attempts without any wait. An address may be that of a whole office. */
const FREE: Readonly<Record<Kind, number>> = { address: 30, account: 5, 'second-step': 5, proof: 5 };

/**
 * Waits double from a second to a quarter of an hour: some hundred guesses a day at one account. Longer ones would only help
 * whoever wants to keep its owner out.
 */
const MOST_WAIT_SECONDS = 900;
const FORGOTTEN_MS = 24 * 3600_000;

/** What one attempt counts against; the first that has to wait is told so. */
export type Subject = readonly [Kind, string];

/** Counts an attempt. @throws `too-many-requests`, with `Retry-After` */
export async function beginAttempt(context: Context, visitor: Visitor, subjects: readonly Subject[]): Promise<void> {
  for (const subject of subjects) await count(context, visitor, subject);
}

async function count({ db, now }: Context, visitor: Visitor, [kind, name]: Subject): Promise<void> {
  const at = now();
  const key = keyOf(kind, name);
  const forgotten = new Date(at.getTime() - FORGOTTEN_MS);
  const counted = sql<number>`case when attempts.last_at < ${forgotten} then 1 else attempts.count + 1 end`;
  const exponent = sql`least(${counted} - ${sql.lit(FREE[kind])}, 20)`;
  const seconds = sql`case when ${counted} < ${sql.lit(FREE[kind])} then 0
    else least(power(2, ${exponent}), ${sql.lit(MOST_WAIT_SECONDS)}) end`;
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('attempts')
    .values({ key, count: 1, last_at: at, until: at })
    .onConflict(conflict =>
      conflict
        .column('key')
        .doUpdateSet({ count: counted, last_at: at, until: sql`${at}::timestamptz + ${seconds} * interval '1 second'` })
        .where('attempts.until', '<=', at),
    )
    .executeTakeFirstOrThrow();
  if (numInsertedOrUpdatedRows === 1n) return;
  const row = await db.selectFrom('attempts').select('until').where('key', '=', key).executeTakeFirst();
  const wait = Math.max(1, Math.ceil(((row?.until.getTime() ?? 0) - at.getTime()) / 1000));
  visitor.wait(wait);
  throw serverError('too-many-requests', 'Too many attempts have failed.');
}

/** An attempt that was right takes back what it counted; of accounts, all that was counted. */
export async function endAttempt({ db, now }: Context, subjects: readonly Subject[]): Promise<void> {
  for (const [kind, name] of subjects) {
    const key = keyOf(kind, name);
    if (kind === 'address') {
      const count = sql<number>`greatest(count - 1, 0)`;
      await db.updateTable('attempts').set({ count, until: now() }).where('key', '=', key).execute();
    } else {
      await db.deleteFrom('attempts').where('key', '=', key).execute();
    }
  }
}

/** Forgets whom nobody has tried for a day. Run by a job. */
export async function forgetAttempts({ db, now }: Context): Promise<void> {
  const forgotten = new Date(now().getTime() - FORGOTTEN_MS);
  await db.deleteFrom('attempts').where('last_at', '<', forgotten).execute();
}

/** Hashed: people type their password into the wrong field. */
function keyOf(kind: Kind, name: string): string {
  return sha256Hex(JSON.stringify([kind, name]));
}
