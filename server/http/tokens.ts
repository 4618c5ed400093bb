// Bearer tokens of the vendor API: 32 random bytes, stored as a hash. The first one is written for the administrator.
import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Request } from 'express';
import { readFileIfAny, sha256Hex, writeFileAtomic } from '../../signing/index.ts';
import { SCOPES } from '../access/scopes.ts';
import type { Context } from '../context.ts';
import type { Database } from '../db/database.ts';
import { serverError } from '../errors.ts';
import type { Caller } from './route.ts';

const TOKEN = /^Bearer (rlv_[A-Za-z0-9_-]{43})$/;

/** Makes sure that `admin.token` exists and is known to the database; the file is readable by its owner only. */
export async function ensureAdminToken(db: Database, directory: string, now: Date): Promise<string> {
  const path = join(directory, 'admin.token');
  const known = (await readFileIfAny(path))?.toString('utf8').trim();
  const token = known || `rlv_${randomBytes(32).toString('base64url')}`;
  await db
    .insertInto('tokens')
    .values({ id: randomUUID(), name: 'admin', hash: sha256Hex(token), created_at: now })
    .onConflict(conflict => conflict.column('hash').doNothing())
    .execute();
  if (!known) await writeFileAtomic(path, `${token}\n`, 0o600);
  return path;
}

/**
 * Who calls, by the token of the request. Looked up by its hash, so that timing tells nothing about the token.
 *
 * @throws `unauthorized`
 */
export async function authenticate({ db }: Context, request: Request): Promise<Caller> {
  const token = TOKEN.exec(request.headers.authorization ?? '')?.[1];
  const row =
    token && (await db.selectFrom('tokens').select('name').where('hash', '=', sha256Hex(token)).executeTakeFirst());
  if (!row) throw serverError('unauthorized', 'This call needs a token of the service.');
  return { actor: `token:${row.name}`, organization: 'default', scopes: new Set(SCOPES), products: undefined };
}
