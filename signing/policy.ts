// How strict a reader of TUF metadata is. Our own repositories are held to more than the specification asks; a client of
// somebody else's has to take what the specification allows. A policy is a choice of the caller, never of a source.

/**
 * What a metadata file may hold. `full`: all that the specification and TAP 15 allow. `narrow`: SHA-256 of every file, roles with
 * plain names, and delegations by path only, which is all that our own repositories use.
 */
export type MetadataFormat = 'narrow' | 'full';

export interface TrustPolicy {
  readonly format: MetadataFormat;
  /** `recomputed`: a key's id has to be the digest of the key. `as-listed`: ids are only names (section 4.2.2 allows both). */
  readonly keyIds: 'recomputed' | 'as-listed';
  /** Signature schemes that count. A scheme is retired by taking it out. */
  readonly schemes: ReadonlySet<string>;
  /**
   * `per-class`: where a role has keys of both classes, each class has to reach the threshold. `overall`: keys are keys.
   */
  readonly threshold: 'per-class' | 'overall';
  /** Whether root and all targets roles need keys of both classes: then no single break of mathematics signs software. */
  readonly hybrid: 'required' | 'allowed';
}

/** For the vendor's repositories. */
export const STRICT: TrustPolicy = {
  format: 'narrow',
  keyIds: 'recomputed',
  schemes: new Set(['ed25519', 'ecdsa-sha2-nistp256', 'ml-dsa-65/1', 'ml-dsa-87/1']),
  threshold: 'per-class',
  hybrid: 'required',
};

/** What the specification allows and no more, for repositories of others. */
export const STANDARD: TrustPolicy = {
  format: 'full',
  keyIds: 'as-listed',
  schemes: new Set([
    'ed25519',
    'ecdsa-sha2-nistp256',
    'ecdsa-sha2-nistp384',
    'rsassa-pss-sha256',
    'ml-dsa-44/1',
    'ml-dsa-65/1',
    'ml-dsa-87/1',
  ]),
  threshold: 'overall',
  hybrid: 'allowed',
};
