// The administrator's token: made at the first start, for everything in the first organization and for the service itself.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { readFileIfAny, sha256Hex, writeFileAtomic } from '../../signing/index.ts';
import { SCOPES } from '../access/scopes.ts';
import { newToken } from '../access/tokens.ts';
import type { Database } from '../db/database.ts';

/**
 * Makes sure that `admin.token` exists and is known to the database; the file is readable by its owner only. A revoked one stays
 * revoked: without the file, the next start makes another.
 */
export async function ensureAdminToken(db: Database, directory: string, now: Date): Promise<string> {
  const path = join(directory, 'admin.token');
  const known = (await readFileIfAny(path))?.toString('utf8').trim();
  const token = known || newToken();
  const hash = sha256Hex(token);
  // Services with one database and directories of their own have a token each; the second one is named after its hash.
  for (const name of ['admin', `admin-${hash.slice(0, 8)}`]) {
    const row = {
      id: randomUUID(),
      name,
      hash,
      scopes: [...SCOPES],
      products: null,
      created_by: null,
      created_at: now,
    };
    await db
      .insertInto('tokens')
      .values({ ...row, expires_at: null, last_used_at: null, revoked_at: null })
      .onConflict(conflict => conflict.doNothing())
      .execute();
  }
  // Scopes that have come since the token was made.
  await db
    .updateTable('tokens')
    .set({ scopes: [...SCOPES] })
    .where('hash', '=', hash)
    .execute();
  if (!known) await writeFileAtomic(path, `${token}\n`, 0o600);
  return path;
}
