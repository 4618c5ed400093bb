// What the service's parts are given, of one organization, on a test database: for tests of parts that need no whole service.
import { randomBytes } from 'node:crypto';
import { type Logger, pino } from 'pino';
import type { Tenant } from '../../server/context.ts';
import type { Database } from '../../server/db/database.ts';
import type { Vault } from '../../server/vault.ts';
import { openSecret, sealSecret } from '../../signing/index.ts';

export interface TenantOptions {
  readonly organization?: string;
  readonly vault?: Vault;
  readonly log?: Logger;
  now?(): Date;
}

/** Has no blobs and no address for sites. */
export function tenantOn(db: Database, options: TenantOptions = {}): Tenant {
  const { organization = 'default', vault = testVault(), log = pino({ level: 'silent' }) } = options;
  const now = options.now ?? (() => new Date());
  return { db, organization, vault, log, now, storageOf: () => undefined } as unknown as Tenant;
}

/** Seals under a key of its own. */
export function testVault(): Vault {
  const key = randomBytes(32);
  return {
    seal: (purpose, secret) => sealSecret(key, purpose, secret),
    open: (purpose, sealed) => openSecret(key, purpose, sealed),
  };
}
