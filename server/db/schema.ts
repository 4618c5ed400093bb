// The tables of the hosted service, as kysely sees them. Every change is a migration in `migrations.ts`.
import type { ColumnType } from 'kysely';

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

/** A certificate that a site connects with instead of the license's key. */
export interface CertificateTable {
  /** Lowercase hex. */
  serial: string;
  license_id: string;
  /** SHA-256 of the whole certificate, hex: no other one with its serial is this one, whoever signed that. */
  fingerprint: string;
  issued_at: Instant;
  expires_at: Instant;
  revoked_at: Instant | null;
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

/** A link of an organization's chain. The database refuses to change or delete one. */
export interface AuditTable {
  organization: string;
  /** From 1, without gaps. */
  number: ColumnType<string, number, never>;
  at: Instant;
  actor: string;
  action: string;
  subject: string;
  request: string | null;
  address: string | null;
  details: ColumnType<unknown, string, never>;
  /** The hash of the entry before. */
  previous: string;
  hash: string;
}

/** Where an organization's events are delivered to. */
export interface WebhookTable {
  id: string;
  organization: string;
  url: string;
  /** Types; `*` for all. */
  events: string[];
  sealed_secret: Buffer;
  /** Signed with as well, until then. */
  sealed_previous_secret: Buffer | null;
  previous_until: Instant | null;
  disabled_at: Instant | null;
  disabled_why: string | null;
  /** Failed attempts since the last success, and since when. */
  failures: number;
  failing_since: Instant | null;
  revision: number;
  created_at: Instant;
}

/** `pending`: not tried yet. `failed`: tried, and will be again. `dead`: given up, unless it is replayed by hand. */
export type DeliveryState = 'pending' | 'succeeded' | 'failed' | 'dead';

/** An event on its way to one endpoint. */
export interface DeliveryTable {
  id: string;
  webhook_id: string;
  event: string;
  type: string;
  /** JSON, as it is sent. */
  payload: string;
  state: DeliveryState;
  attempts: number;
  /** While it is being tried: when that attempt is given up. */
  next_attempt_at: Instant;
  /** Of the attempt under way. */
  claim: string | null;
  last_status: number | null;
  last_error: string | null;
  last_attempt_at: Instant | null;
  created_at: Instant;
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
  certificates: CertificateTable;
  sites: SiteTable;
  wraps: WrapTable;
  tokens: TokenTable;
  audit: AuditTable;
  webhooks: WebhookTable;
  webhook_deliveries: DeliveryTable;
}
