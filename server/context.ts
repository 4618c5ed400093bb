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

/** The organization of what was there before there were several, and of a service that has one. */
export const FIRST_ORGANIZATION = 'default';

/** The call that something is done for. */
export interface Origin {
  /** Under which the log has it. */
  readonly request: string;
  /** Of the caller; undefined when its connection is gone. */
  readonly address: string | undefined;
}

/** The service as one organization sees it: what it reads and writes is that organization's. */
export interface Tenant extends Context {
  readonly organization: string;
  /** Absent for what the service does by itself. */
  readonly origin?: Origin;
}
