// A TUF repository whose every field a test can set, right or wrong: written without the product's own writer, so that it can
// be what the specification allows and what it forbids. `repository.ts` is the one that looks like our own.
import { createHash } from 'node:crypto';
import { canonicalJson, type MetadataSource, type Signer } from '../../signing/index.ts';

const LIFE_MS = 24 * 3600_000;

export interface RawDelegation {
  readonly name: string;
  readonly keys: readonly Signer[];
  readonly threshold?: number;
  readonly terminating?: boolean;
  readonly paths?: readonly string[];
  readonly path_hash_prefixes?: readonly string[];
}

export interface RawBins {
  readonly name_prefix: string;
  readonly bit_length: number;
  readonly keys: readonly Signer[];
}

/** What is signed next under the name of a role. */
export interface RawRole {
  version: number;
  expiresMs: number;
  signers: readonly Signer[];
  /** Laid over the document before it is signed. */
  fields: Readonly<Record<string, unknown>>;
  /** Of targets roles. */
  readonly targets: Map<string, Buffer>;
  delegations: readonly RawDelegation[];
  bins?: RawBins;
}

export interface RawMeta {
  version: number;
  length?: number;
  hashes?: Record<string, string>;
}

type TopRole = 'root' | 'timestamp' | 'snapshot' | 'targets';

export class RawRepository {
  /** By path below the repository: `metadata/1.root.json`, `targets/…`. */
  readonly files = new Map<string, Uint8Array>();
  readonly roles = new Map<string, RawRole>();
  /** Whom root names. */
  readonly trusted: Record<TopRole, { keys: readonly Signer[]; threshold: number }>;
  /** What the next snapshot lists, and what the next timestamp says of the snapshot. */
  readonly listed = new Map<string, RawMeta>();
  snapshotMeta: RawMeta = { version: 1 };
  consistent = true;
  /** Digests that are written of every file; with none, snapshots promise versions only. */
  algorithms: readonly string[] = ['sha256'];
  readonly #nowMs: number;

  constructor(signer: Signer, nowMs: number) {
    this.#nowMs = nowMs;
    const only = () => ({ keys: [signer], threshold: 1 });
    this.trusted = { root: only(), timestamp: only(), snapshot: only(), targets: only() };
    for (const role of ['root', 'timestamp', 'snapshot', 'targets']) this.addRole(role, [signer]);
  }

  get anchor(): Uint8Array {
    return this.files.get('metadata/1.root.json') as Uint8Array;
  }

  /** Another repository that goes on from here. */
  copy(): RawRepository {
    const copy = new RawRepository(this.trusted.root.keys[0] as Signer, this.#nowMs);
    for (const [path, bytes] of this.files) copy.files.set(path, bytes);
    for (const [name, role] of this.roles) copy.roles.set(name, { ...role, targets: new Map(role.targets) });
    for (const [name, meta] of this.listed) copy.listed.set(name, meta);
    Object.assign(copy.trusted, this.trusted);
    const { snapshotMeta, consistent, algorithms } = this;
    return Object.assign(copy, { snapshotMeta, consistent, algorithms });
  }

  role(name: string): RawRole {
    const role = this.roles.get(name);
    if (!role) throw new Error(`no role ${name}`);
    return role;
  }

  addRole(name: string, signers: readonly Signer[]): RawRole {
    const role = {
      version: 0,
      expiresMs: this.#nowMs + LIFE_MS,
      signers,
      fields: {},
      targets: new Map<string, Buffer>(),
      delegations: [],
    };
    this.roles.set(name, role);
    return role;
  }

  /** Signs the next version of each role, in this order; `snapshot` and `timestamp` come last. */
  async publish(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      const role = this.role(name);
      role.version++;
      const bytes = await this.signed(name, { ...this.#document(name, role), ...role.fields });
      this.serve(name, role.version, bytes);
    }
  }

  /** A metadata file over any document. */
  async signed(name: string, document: object): Promise<Buffer> {
    const bytes = canonicalJson(document);
    const signatures = [];
    for (const signer of this.role(name).signers) {
      signatures.push({ keyid: signer.keyId, sig: Buffer.from(await signer.sign(bytes)).toString('hex') });
    }
    return Buffer.from(JSON.stringify({ signatures, signed: document }));
  }

  /** Serves a file for a role, and says so in what is signed next. */
  serve(name: string, version: number, bytes: Uint8Array): void {
    const versioned = name === 'root' || (this.consistent && name !== 'timestamp');
    const quoted = encodeURIComponent(name);
    this.files.set(`metadata/${versioned ? `${version}.${quoted}` : quoted}.json`, bytes);
    const meta: RawMeta = { version };
    if (this.algorithms.length > 0) Object.assign(meta, { length: bytes.length, hashes: this.#hashes(bytes) });
    if (name === 'snapshot') this.snapshotMeta = meta;
    else if (name !== 'root' && name !== 'timestamp') this.listed.set(name, meta);
  }

  #document(name: string, role: RawRole): object {
    const head = { spec_version: '1.0.31', version: role.version, expires: isoDate(role.expiresMs) };
    if (name === 'root') return { _type: 'root', ...head, ...this.#rootFields() };
    if (name === 'timestamp') return { _type: 'timestamp', ...head, meta: { 'snapshot.json': this.snapshotMeta } };
    if (name === 'snapshot') {
      const meta = Object.fromEntries([...this.listed].map(([listed, file]) => [`${listed}.json`, file]));
      return { _type: 'snapshot', ...head, meta };
    }
    return { _type: 'targets', ...head, ...this.#targetsFields(role) };
  }

  #rootFields(): object {
    const roles = Object.entries(this.trusted);
    return {
      consistent_snapshot: this.consistent,
      keys: keyTable(roles.flatMap(([, { keys }]) => keys)),
      roles: Object.fromEntries(roles.map(([name, { keys, threshold }]) => [name, { keyids: ids(keys), threshold }])),
    };
  }

  #targetsFields({ targets, delegations, bins }: RawRole): object {
    const entries = [...targets].map(([path, bytes]) => {
      const hashes = this.#hashes(bytes, ['sha256']);
      this.#serveTarget(path, Object.values(hashes), bytes);
      return [path, { length: bytes.length, hashes }];
    });
    const content = { targets: Object.fromEntries(entries) };
    if (bins) {
      const { keys, ...rest } = bins;
      const succinct_roles = { ...rest, keyids: ids(keys), threshold: 1 };
      return { ...content, delegations: { keys: keyTable(keys), succinct_roles } };
    }
    if (delegations.length === 0) return content;
    const roles = delegations.map(({ keys, threshold = 1, terminating = false, ...rest }) => ({
      ...rest,
      keyids: ids(keys),
      threshold,
      terminating,
    }));
    return { ...content, delegations: { keys: keyTable(delegations.flatMap(({ keys }) => keys)), roles } };
  }

  #serveTarget(path: string, digests: readonly string[], bytes: Uint8Array): void {
    const at = path.lastIndexOf('/') + 1;
    const names = this.consistent ? digests.map(digest => `${path.slice(0, at)}${digest}.${path.slice(at)}`) : [path];
    for (const name of names) this.files.set(`targets/${name}`, bytes);
  }

  /** Targets always have a digest; where no algorithm is chosen, `otherwise`. */
  #hashes(bytes: Uint8Array, otherwise: readonly string[] = []): Record<string, string> {
    const algorithms = this.algorithms.length > 0 ? this.algorithms : otherwise;
    return Object.fromEntries(algorithms.map(name => [name, createHash(name).update(bytes).digest('hex')]));
  }
}

/** What the repository serves at this moment and later. */
export function rawSource({ files }: RawRepository): MetadataSource {
  return {
    metadata: async name => files.get(`metadata/${name}`),
    target: async name => files.get(`targets/${decodeURIComponent(name)}`),
  };
}

/** The same, and what it was asked for: names and caps, in order. */
export function askingSource(repository: RawRepository): MetadataSource & { readonly asked: [string, number][] } {
  const source = rawSource(repository);
  const asked: [string, number][] = [];
  return {
    asked,
    metadata(name, maxBytes) {
      asked.push([name, maxBytes]);
      return source.metadata(name, maxBytes);
    },
    target(name, digest, maxBytes) {
      asked.push([name, maxBytes]);
      return source.target(name, digest, maxBytes);
    },
  };
}

function keyTable(keys: readonly Signer[]): object {
  return Object.fromEntries(keys.map(({ keyId, key }) => [keyId, key]));
}

function ids(keys: readonly Signer[]): readonly string[] {
  return keys.map(({ keyId }) => keyId);
}

function isoDate(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
