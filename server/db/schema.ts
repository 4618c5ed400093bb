// The tables of the hosted service, as kysely sees them. Every change is a migration in `migrations.ts`.
import type { ColumnType, Generated } from 'kysely';
import type { Overage, SealedMessage } from '../../signing/index.ts';

/** PostgreSQL's `timestamptz`; written as Date, read as Date. */
type Instant = ColumnType<Date, Date, Date>;
type Json = ColumnType<unknown, string, string>;

export interface SecretTable {
  organization: string;
  name: string;
  sealed: Buffer;
}

/** Published TUF metadata; the highest version of a role is the current one. */
export interface MetadataTable {
  organization: string;
  role: string;
  version: number;
  body: Buffer;
  published_at: Instant;
}

/** `draft`: packed and stored, signed by nobody. */
export type ReleaseState = 'draft' | 'publishing' | 'published' | 'failed';

/** What is to be signed beside a draft: SHA-256 of stored objects. */
export interface DraftAttestations {
  readonly sbom: string;
  readonly provenance: string;
}

export interface ReleaseTable {
  organization: string;
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
  yanked_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
  yank_reason: ColumnType<string | null, string | null | undefined, string | null>;
  yank_advice: ColumnType<string | null, string | null | undefined, string | null>;
  /** Of drafts. */
  attestations: ColumnType<DraftAttestations | null, string | null | undefined, string | null>;
  revision: Generated<number>;
}

/** An object that a publication under way relies on: garbage collection leaves it alone. */
export interface LeaseTable {
  organization: string;
  digest: string;
  holder: string;
  until: Instant;
}

export type LicenseStatus = 'active' | 'suspended' | 'revoked';

export interface LicenseTable {
  organization: string;
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
  features: Generated<string[]>;
  trial: Generated<boolean>;
  /** What more than the limits means. */
  overage: Generated<Overage>;
  /** What the end means: `keep` what was published before it, `grace`, or `lock`. */
  expiry: Generated<ExpiryStrategy>;
  /** Of the strategy `grace`; 0 for the others. */
  grace_days: Generated<number>;
  /** Whether its sites take their nodes out of one pool, by leases. */
  floating: Generated<boolean>;
  /** Why it is suspended; null while it is not. */
  suspended_reason: string | null;
  revision: Generated<number>;
}

export type ExpiryStrategy = 'keep' | 'grace' | 'lock';

/** Seats for nodes that a site has of a floating license, until then. */
export interface SeatTable {
  organization: string;
  license_id: string;
  site_id: string;
  seats: number;
  until: Instant;
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
  organization: string;
  id: string;
  license_id: string;
  name: string;
  public_key: string;
  activated_at: Instant;
  last_seen_at: Instant;
  /** Nodes of the last report that count for the license. */
  live_nodes: Generated<number>;
  /** Activated when the license had no room for it, by its policy. */
  beyond_limit: Generated<boolean>;
  /** Name and id in lower case: what is looked through for a text. */
  search: Generated<string>;
  /** The release that is installed. */
  version: Generated<string | null>;
  /** `unknown` until a site of a version that says so has reported. */
  health: Generated<string>;
  /** Of the rollover. */
  state: Generated<string>;
  node_count: Generated<number>;
  agent_version: Generated<string | null>;
  /** How the last report came: `connection` or `receipt`; null before the first. */
  via: Generated<string | null>;
  /** By the service's clock. */
  reported_at: Instant | null;
  /** Of the newest sealed report; 0 while all of them were plain. */
  report_sequence: ColumnType<string, number | undefined, number>;
}

/** The last report of a site, as it said it. What sites are searched by stands in their columns, too. */
export interface SiteReportTable {
  organization: string;
  site_id: string;
  report: Json;
}

export type SiteEventType =
  | 'version-changed'
  | 'rollover-started'
  | 'rollover-finished'
  | 'rollover-failed'
  | 'health-changed';

/** What a site lets its vendor look at, sealed. Its parts are stored objects. */
export interface SupportBundleTable {
  organization: string;
  /** Digest of the head. */
  id: string;
  site_id: string;
  /** `receiving`: not all of its parts have come. */
  state: 'receiving' | 'received';
  via: 'connection' | 'file';
  /** Signed and sealed by the site, with the key to the parts. */
  head: ColumnType<SealedMessage, string, never>;
  /** By the site's clock. */
  made_at: Instant;
  agent_version: string;
  /** Why it was made. */
  note: string | null;
  /** Names and sizes of what is in it. */
  files: ColumnType<readonly { readonly name: string; readonly bytes: number }[], string, never>;
  /** Of all parts. */
  bytes: number;
  /** SHA-256 of each part, in order. */
  parts: string[];
  /** When its head came; when all of it had come, once it has. */
  created_at: Instant;
}

/** What has changed at a site: the newest fifty of each. */
export interface SiteEventTable {
  id: Generated<string>;
  organization: string;
  site_id: string;
  at: Instant;
  type: SiteEventType;
  details: Json;
}

export interface WrapTable {
  manifest_digest: string;
  license_id: string;
  body: Json;
}

/** An upgrade that was tried out for a license, step by step. */
export interface RehearsalTable {
  id: string;
  organization: string;
  license_id: string;
  from_version: string;
  to_version: string;
  evidence: string;
  /** Who attests it. */
  actor: string;
  created_at: Instant;
}

export interface TokenTable {
  id: string;
  organization: Generated<string>;
  /** Of tokens that are not revoked, one of an organization has it: the audit names them by it. */
  name: string;
  hash: string;
  scopes: string[];
  /** Null: all products. */
  products: string[] | null;
  /** Id of the person or of the token that made it; null: the service. */
  created_by: string | null;
  created_at: Instant;
  expires_at: Instant | null;
  last_used_at: Instant | null;
  revoked_at: Instant | null;
}

/** A vendor. Several share the service and see nothing of each other. */
export interface OrganizationTable {
  id: string;
  name: string;
  revision: Generated<number>;
  created_at: Instant;
}

/** A person, who may belong to several organizations. */
export interface UserTable {
  id: string;
  /** In lower case. */
  email: string;
  name: string;
  /** Null for whoever signs in with an identity provider only. */
  password_hash: string | null;
  /** Null while there is no second step. */
  totp_sealed: Buffer | null;
  /** The secret of an authenticator that has not been confirmed yet. */
  totp_next_sealed: Buffer | null;
  /** The newest time step whose code was used. */
  totp_step: Generated<number>;
  /** Of the one-time token with which a new password may be set. */
  recovery_hash: string | null;
  recovery_until: Instant | null;
  disabled_at: Instant | null;
  revision: Generated<number>;
  created_at: Instant;
}

export interface MembershipTable {
  organization: string;
  user_id: string;
  role: string;
  /** The identity provider that it came by, and may be used by; null: password. */
  provider: string | null;
  revision: Generated<number>;
  created_at: Instant;
}

export interface InvitationTable {
  id: string;
  organization: string;
  email: string;
  role: string;
  hash: string;
  created_by: string;
  created_at: Instant;
  expires_at: Instant;
}

export interface SessionTable {
  hash: string;
  user_id: string;
  organization: string;
  /** The identity provider that vouched for it; null: password. */
  provider: string | null;
  created_at: Instant;
  last_used_at: Instant;
  expires_at: Instant;
}

export interface RecoveryCodeTable {
  user_id: string;
  hash: string;
}

/** Who somebody is at an identity provider. */
export interface IdentityTable {
  issuer: string;
  subject: string;
  user_id: string;
  created_at: Instant;
}

export interface OidcNonceTable {
  hash: string;
  used_at: Instant;
}

/** Attempts to sign in since the last success, by a hash of whose they are. */
export interface AttemptTable {
  key: string;
  count: number;
  last_at: Instant;
  until: Instant;
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

/** A rollout of a version in a channel; `document` is what sites are told of it. */
export interface RolloutTable {
  organization: string;
  id: string;
  product: string;
  channel: string;
  version: string;
  state: string;
  document: Json;
  paused_at: Instant | null;
  /** Why the service, or who, halted it. */
  halted_why: string | null;
  revision: number;
  created_at: Instant;
}

/** What a site that is offered a version has made of it. */
export type Outcome = 'succeeded' | 'failed' | 'pending';

export interface RolloutOutcomeTable {
  rollout_id: string;
  site_id: string;
  outcome: Outcome;
  at: Instant;
}

/** What is said of a channel now, signed. */
export interface BulletinTable {
  organization: string;
  product: string;
  channel: string;
  sequence: number;
  /** A digest of what it says, and of the key that says it: without a change, no new one is signed. */
  said: string;
  /** A compact JWS. */
  document: string;
  expires_at: Instant;
}

/** What a POST with an `Idempotency-Key` was answered. */
export interface IdempotencyTable {
  id: string;
  fingerprint: string;
  created_at: Instant;
  /** When it had its effect; it may have died before it was answered. */
  effect_at: Instant | null;
  /** Null while it is under way. */
  status: number | null;
  /** JSON, sealed, in base64. */
  body: string | null;
}

/** One row: the oldest schema whose code runs on this one. */
export interface SchemaCompatTable {
  one: Generated<boolean>;
  oldest: string;
}

export interface Tables {
  schema_compat: SchemaCompatTable;
  idempotency: IdempotencyTable;
  secrets: SecretTable;
  metadata: MetadataTable;
  releases: ReleaseTable;
  leases: LeaseTable;
  licenses: LicenseTable;
  certificates: CertificateTable;
  sites: SiteTable;
  seats: SeatTable;
  site_reports: SiteReportTable;
  site_events: SiteEventTable;
  support_bundles: SupportBundleTable;
  wraps: WrapTable;
  rehearsals: RehearsalTable;
  tokens: TokenTable;
  organizations: OrganizationTable;
  users: UserTable;
  memberships: MembershipTable;
  invitations: InvitationTable;
  sessions: SessionTable;
  recovery_codes: RecoveryCodeTable;
  identities: IdentityTable;
  oidc_nonces: OidcNonceTable;
  attempts: AttemptTable;
  audit: AuditTable;
  rollouts: RolloutTable;
  rollout_outcomes: RolloutOutcomeTable;
  bulletins: BulletinTable;
  webhooks: WebhookTable;
  webhook_deliveries: DeliveryTable;
}
