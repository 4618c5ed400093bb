// The second step of a sign-in: a code of an authenticator, each good once, or one of the recovery codes that were given when it was
// enrolled. Recovery codes are 80 random bits and kept as hashes: no list of guesses finds them.
import { randomBytes } from 'node:crypto';
import { sha256Hex } from '../../signing/index.ts';
import type { Context } from '../context.ts';
import type { Database } from '../db/database.ts';
import { base32, matchingStep } from './totp.ts';

const RECOVERY_CODES = 10;
const RECOVERY_BYTES = 10;

/** What is sealed for whom. */
export const totpPurpose = (user: string) => `totp:${user}`;

/**
 * Takes a code. It is used up, also when two requests bring it at the same time.
 *
 * @param sealed the secret of the authenticator
 */
export async function takeCode(
  { vault, now }: Pick<Context, 'vault' | 'now'>,
  db: Database,
  { id, totp_sealed: sealed }: { readonly id: string; readonly totp_sealed: Buffer },
  code: string,
): Promise<boolean> {
  if (!/^\d{6}$/.test(code)) return takeRecoveryCode(db, id, code);
  const step = matchingStep(vault.open(totpPurpose(id), sealed), code, now().getTime());
  return step !== undefined && useStep(db, id, step);
}

/** RFC 6238, section 5.2: a code is not accepted a second time; neither is an older one. */
async function useStep(db: Database, user: string, step: number): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('users')
    .set({ totp_step: step })
    .where('id', '=', user)
    .where('totp_step', '<', step)
    .executeTakeFirstOrThrow();
  return numUpdatedRows === 1n;
}

/** Puts new recovery codes in the place of all old ones. They are shown this once. */
export async function newRecoveryCodes(db: Database, user: string): Promise<readonly string[]> {
  const codes = Array.from({ length: RECOVERY_CODES }, () => withDashes(base32(randomBytes(RECOVERY_BYTES))));
  await forgetRecoveryCodes(db, user);
  await db
    .insertInto('recovery_codes')
    .values(codes.map(code => ({ user_id: user, hash: hashOf(code) })))
    .execute();
  return codes;
}

export async function forgetRecoveryCodes(db: Database, user: string): Promise<void> {
  await db.deleteFrom('recovery_codes').where('user_id', '=', user).execute();
}

async function takeRecoveryCode(db: Database, user: string, code: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('recovery_codes')
    .where('user_id', '=', user)
    .where('hash', '=', hashOf(code))
    .executeTakeFirstOrThrow();
  return numDeletedRows === 1n;
}

/** However it is typed. */
function hashOf(code: string): string {
  return sha256Hex(code.toUpperCase().replaceAll(/[^A-Z2-7]/g, ''));
}

function withDashes(code: string): string {
  return (code.match(/.{4}/g) ?? []).join('-').toLowerCase();
}
