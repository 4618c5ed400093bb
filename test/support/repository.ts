// A TUF repository in memory, with all of its keys at hand: what attack stories are told about.
import {
  type Delegation,
  type Grace,
  generateSigningKey,
  type MetadataFile,
  type MetadataSource,
  offlineSnapshotDocument,
  promiseOf,
  rootDocument,
  type Signer,
  sha256Hex,
  signerOf,
  signMetadata,
  snapshotDocument,
  type TargetEntry,
  type TrustedFiles,
  type TrustedState,
  type TrustStore,
  targetEntryOf,
  targetsDocument,
  timestampDocument,
} from '../../signing/index.ts';

export const NOW = Date.parse('2026-11-23T12:00:00Z');
const DAY_MS = 24 * 3600_000;

export type RoleName = 'root' | 'targets' | 'snapshot' | 'timestamp';

/** What a source serves: metadata by file name, targets by digest. Tests change it at will. */
export interface Served {
  readonly metadata: Map<string, Uint8Array>;
  readonly targets: Map<string, Uint8Array>;
}

export class TestRepository {
  readonly keys: Record<RoleName | 'channel', Signer[]> = {
    root: newSigners(),
    targets: newSigners(),
    snapshot: [newSigner()],
    timestamp: [newSigner()],
    channel: newSigners(),
  };
  readonly thresholds: Record<RoleName | 'channel', number> = {
    root: 1,
    targets: 1,
    snapshot: 1,
    timestamp: 1,
    channel: 1,
  };
  readonly versions: Record<RoleName | 'channel', number> = {
    root: 0,
    targets: 0,
    snapshot: 0,
    timestamp: 0,
    channel: 0,
  };
  readonly served: Served = { metadata: new Map(), targets: new Map() };
  expiresMs = NOW + 30 * DAY_MS;
  /** Who signs the channel's file, when it is not who the delegation names. */
  channelSigners: Signer[] | undefined;
  /** Who signs the offline snapshot: named by the next root; a repository for connected sites has none. */
  offlineKeys: Signer[] | undefined;
  grace: Grace = { warnDays: 30, restrictDays: 60 };
  offlineVersion = 0;
  readonly #roles = new Map<string, MetadataFile>();

  /** The first root, as a site is activated with. */
  get anchor(): Uint8Array {
    return this.served.metadata.get('1.root.json') as Uint8Array;
  }

  /** Signs the next root with the keys of the one before and with its own. */
  async publishRoot(alsoSignedBy: readonly Signer[] = []): Promise<void> {
    const version = ++this.versions.root;
    const policy = (role: RoleName) => ({ keys: this.keys[role].map(s => s.key), threshold: this.thresholds[role] });
    const roles = {
      root: policy('root'),
      targets: policy('targets'),
      snapshot: policy('snapshot'),
      timestamp: policy('timestamp'),
      ...(this.offlineKeys ? { 'offline-snapshot': { keys: this.offlineKeys.map(s => s.key), threshold: 1 } } : {}),
    };
    const document = rootDocument({ version, expiresMs: this.expiresMs }, roles);
    this.served.metadata.set(
      `${version}.root.json`,
      await signMetadata(document, [...this.keys.root, ...alsoSignedBy]),
    );
  }

  /** Publishes targets of the top level, and of a channel that is delegated `channel/*`. */
  async publish(top: Readonly<Record<string, string>>, channel: Readonly<Record<string, string>> = {}): Promise<void> {
    const delegation: Delegation = {
      name: 'channel',
      paths: ['channel/*'],
      keys: this.keys.channel.map(s => s.key),
      threshold: this.thresholds.channel,
    };
    const file = async (
      role: 'targets' | 'channel',
      content: Readonly<Record<string, string>>,
      to: readonly Delegation[],
    ) => {
      const version = ++this.versions[role];
      const document = targetsDocument({ version, expiresMs: this.expiresMs }, this.#entries(content), to);
      const signers = role === 'channel' ? (this.channelSigners ?? this.keys.channel) : this.keys.targets;
      const bytes = await signMetadata(document, signers);
      this.#roles.set(role, { version, bytes });
      this.served.metadata.set(`${version}.${role}.json`, bytes);
    };
    await file('targets', top, [delegation]);
    await file('channel', channel, []);
    await this.publishOnline();
  }

  /** Signs a new snapshot and timestamp over the current roles. */
  async publishOnline(): Promise<void> {
    const dates = (version: number) => ({ version, expiresMs: this.expiresMs });
    const snapshotVersion = ++this.versions.snapshot;
    const snapshot = await signMetadata(snapshotDocument(dates(snapshotVersion), this.#roles), this.keys.snapshot);
    this.served.metadata.set(`${snapshotVersion}.snapshot.json`, snapshot);
    const file = { version: snapshotVersion, bytes: snapshot };
    const document = timestampDocument(dates(++this.versions.timestamp), file);
    this.served.metadata.set('timestamp.json', await signMetadata(document, this.keys.timestamp));
  }

  /** Signs a new offline snapshot over the current roles and root. */
  async publishOffline(expiresMs = NOW + 365 * DAY_MS, signers = this.offlineKeys as Signer[]): Promise<void> {
    const rootVersion = this.versions.root;
    const root = { version: rootVersion, bytes: this.served.metadata.get(`${rootVersion}.root.json`) as Uint8Array };
    const document = offlineSnapshotDocument({
      version: ++this.offlineVersion,
      expiresMs,
      signedMs: NOW,
      root: promiseOf(root),
      snapshot: this.versions.snapshot,
      meta: new Map([...this.#roles].map(([role, file]) => [`${role}.json`, promiseOf(file)])),
      grace: this.grace,
    });
    this.served.metadata.set('offline-snapshot.json', await signMetadata(document, signers));
  }

  /** What the repository serves now, unchanged by what it publishes later. */
  copy(): Served {
    return { metadata: new Map(this.served.metadata), targets: new Map(this.served.targets) };
  }

  #entries(content: Readonly<Record<string, string>>): Map<string, TargetEntry> {
    const entries = new Map<string, TargetEntry>();
    for (const [path, text] of Object.entries(content)) {
      const bytes = Buffer.from(text);
      this.served.targets.set(sha256Hex(bytes), bytes);
      entries.set(path, targetEntryOf(bytes));
    }
    return entries;
  }
}

/** A repository with root 1 and one target at the top level and in the channel. */
export async function newRepository(): Promise<TestRepository> {
  const repository = new TestRepository();
  await repository.publishRoot();
  await repository.publish({ 'issuers.json': 'keys' }, { 'channel/head': 'first' });
  return repository;
}

/** Offline roles are signed with a key of each class. */
export function newSigners(): Signer[] {
  return [newSigner(), signerOf(generateSigningKey('ml-dsa-65/1'))];
}

export function newSigner(): Signer {
  return signerOf(generateSigningKey());
}

export function sourceOf(served: Served): MetadataSource {
  return {
    metadata: async name => served.metadata.get(name),
    target: async (_path, sha256) => served.targets.get(sha256),
  };
}

/** A store in memory that remembers every state it was given. */
export function memoryStore(): TrustStore & { readonly saved: TrustedFiles[] } {
  const saved: TrustedFiles[] = [];
  return {
    saved,
    load: async () => saved.at(-1),
    save: async (state: TrustedState) => void saved.push(filesOf(state)),
  };
}

function filesOf(state: TrustedState): TrustedFiles {
  return {
    root: state.root.bytes,
    ...(state.timestamp ? { timestamp: state.timestamp.bytes } : {}),
    ...(state.snapshot ? { snapshot: state.snapshot.bytes } : {}),
    ...(state.offlineSnapshot ? { offlineSnapshot: state.offlineSnapshot.bytes } : {}),
    targets: new Map([...state.targets].map(([role, file]) => [role, file.bytes])),
  };
}
