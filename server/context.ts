// What every part of the service is given: database, blobs, secrets, clock and log. Built once, in main.ts.
import type { Logger } from 'pino';
import type { BlobStore, FeedAddress } from '../bundles/index.ts';
import type { Database } from './db/database.ts';
import type { Vault } from './secrets.ts';

export interface Context {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly vault: Vault;
  readonly log: Logger;
  /** Where sites are told to connect; written into license files. */
  readonly feed: FeedAddress;
  now(): Date;
}

/** The service as one organization sees it: what it reads and writes is that organization's. */
export interface Tenant extends Context {
  readonly organization: string;
}
