// Where metadata comes from and where trust is kept: what the caller hands in, and the names that files have there.
import { signingError } from './errors.ts';
import type { TrustedFiles, TrustedState } from './trust.ts';

/** Throws for bytes that are of no use. */
export type Check = (bytes: Uint8Array) => void;

/**
 * Where metadata comes from. `undefined` means that the source has no such file. Never returns more than `maxBytes`. Whoever asks
 * verifies; `check` is for a source that stands for several, so that it asks another one when the first sends what is of no use.
 */
export interface MetadataSource {
  /** `name` is a file name of the repository, such as `2.root.json`, quoted as in a URL. */
  metadata(name: string, maxBytes: number, check?: Check): Promise<Uint8Array | undefined>;
  /**
   * `name` is a path in the repository, such as `channel/<digest>.head`, quoted as in a URL; a source that keeps objects under
   * their digests goes by `digest` alone. `length` is what was signed, and the most that is taken.
   */
  target(name: string, digest: string, length: number, check?: Check): Promise<Uint8Array | undefined>;
}

/** Where a site keeps what it trusts. `save` is atomic: after a crash, `load` gives the old state or the new one. */
export interface TrustStore {
  load(): Promise<TrustedFiles | undefined>;
  save(state: TrustedState): Promise<void>;
}

/** Keeps nothing: each visit starts from the first root, as a new site's does. */
export const forgetful: TrustStore = { load: async () => undefined, save: async () => undefined };

/** Stores what changed, before anything is built on it. */
export async function keep(store: TrustStore, before: TrustedState, after: TrustedState): Promise<TrustedState> {
  if (after !== before) await store.save(after);
  return after;
}

/** @throws `metadata-missing` */
export async function required(
  source: MetadataSource,
  name: string,
  maxBytes: number,
  check?: Check,
): Promise<Uint8Array> {
  const bytes = await source.metadata(name, maxBytes, check);
  if (!bytes) throw signingError('metadata-missing', `The source has no ${name}.`);
  return bytes;
}

/** The file of a role. With consistent snapshots its name says its version (section 6.2). A name may hold any character. */
export function metadataName({ root }: TrustedState, role: string, version: number): string {
  const quoted = `${encodeURIComponent(role)}.json`;
  return root.content.consistentSnapshot ? `${version}.${quoted}` : quoted;
}

/** The path of a target. With consistent snapshots its file name starts with its digest (section 6.2). */
export function targetName({ root }: TrustedState, path: string, digest: string): string {
  const parts = path.split('/').map(encodeURIComponent);
  if (root.content.consistentSnapshot) parts.push(`${digest}.${parts.pop()}`);
  return parts.join('/');
}
