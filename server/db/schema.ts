// The tables of the hosted service, as kysely sees them. Every change is a migration in `migrations.ts`.
import type { ColumnType, Generated } from 'kysely';

/** PostgreSQL's `timestamptz`; written as Date, read as Date. */
type Instant = ColumnType<Date, Date, Date>;
type Json = ColumnType<unknown, string, string>;

export interface SecretTable {
  name: string;
  sealed: Buffer;
}

/** Published TUF metadata; the highest version of a role is the current one. */
export interface MetadataTable {
  role: string;
  version: number;
  body: Buffer;
  published_at: Instant;
}

export type ReleaseState = 'publishing' | 'published' | 'failed';

export interface ReleaseTable {
  id: string;
  product: string;
  channel: string;
  version: string;
  counter: number;
  state: ReleaseState;
  /** Why publishing failed, for the pipeline that waits for it. */
  problem: string | null;
  manifest_digest: string;
  /** The sealed digests of its chunks, for the vendor's next packing. */
  index_digest: string;
  /** What the trees hold, however they were packed: the same content may be published again. */
  content_digest: string;
  sealed_content_key: Buffer;
  /** The signed `release.json`, byte for byte. */
  document: string;
  created_at: Instant;
  published_at: Instant | null;
}

/** An object that a publication under way relies on: garbage collection leaves it alone. */
export interface LeaseTable {
  digest: string;
  holder: string;
  until: Instant;
}

export type LicenseStatus = 'active' | 'suspended' | 'revoked';

export interface LicenseTable {
  id: string;
  customer: string;
  product: string;
  channels: string[];
  status: LicenseStatus;
  document: string;
  node_limit: number;
  site_limit: number;
  entitlement_public_key: string;
  sealed_psk: Buffer;
  expires_at: Instant | null;
  created_at: Instant;
}

export interface SiteTable {
  id: string;
  license_id: string;
  name: string;
  public_key: string;
  activated_at: Instant;
  last_seen_at: Instant;
  report: Json | null;
}

export interface WrapTable {
  manifest_digest: string;
  license_id: string;
  body: Json;
}

export interface TokenTable {
  id: string;
  name: string;
  hash: string;
  created_at: Instant;
}

export interface AuditTable {
  seq: Generated<string>;
  at: Instant;
  actor: string;
  action: string;
  subject: string;
}

/** What a POST with an `Idempotency-Key` was answered. */
export interface IdempotencyTable {
  id: string;
  fingerprint: string;
  created_at: Instant;
  /** Null while it is under way. */
  status: number | null;
  /** JSON, sealed, in base64. */
  body: string | null;
}

export interface Tables {
  idempotency: IdempotencyTable;
  secrets: SecretTable;
  metadata: MetadataTable;
  releases: ReleaseTable;
  leases: LeaseTable;
  licenses: LicenseTable;
  sites: SiteTable;
  wraps: WrapTable;
  tokens: TokenTable;
  audit: AuditTable;
}
