// What every part of the service is given: database, storage, secrets, clock and log. Built once, in main.ts. Nearly all parts are
// given it as one organization sees it.
import type { Logger } from 'pino';
import type { BlobStore, FeedAddress } from '../bundles/index.ts';
import type { Database } from './db/database.ts';
import type { Vault } from './vault.ts';

export interface Context {
  readonly db: Database;
  /** Where an organization's sealed objects lie: nobody else's are found there. */
  storageOf(organization: string): BlobStore;
  readonly vault: Vault;
  readonly log: Logger;
  /** Where sites are told to connect; written into license files. */
  readonly feed: FeedAddress;
  now(): Date;
}

/** The organization of what was there before there were several, and of a service that has one. */
export const FIRST_ORGANIZATION = 'default';

/** The call that something is done for. */
export interface Origin {
  /** Under which the log has it. */
  readonly request: string;
  /** Of the caller; undefined when its connection is gone. */
  readonly address: string | undefined;
  /** Of a call with an `Idempotency-Key`: what is done for it is marked as done under this id, in the same transaction. */
  readonly idempotency?: string;
}

/** The service as one organization sees it: what it reads and writes is that organization's. */
export interface Tenant extends Context {
  readonly organization: string;
  readonly blobs: BlobStore;
  /** The only products that it sees; undefined for all of them. */
  readonly products?: readonly string[] | undefined;
  /** Absent for what the service does by itself. */
  readonly origin?: Origin;
}

/** The service as an organization sees it. */
export function tenantOf(context: Context, organization: string): Tenant {
  return { ...context, organization, blobs: context.storageOf(organization) };
}

/** The organizations that there are, as each sees the service: for what the service does for all of them. */
export async function everyTenant(context: Context): Promise<readonly Tenant[]> {
  const rows = await context.db.selectFrom('organizations').select('id').orderBy('id').execute();
  return rows.map(({ id }) => tenantOf(context, id));
}
